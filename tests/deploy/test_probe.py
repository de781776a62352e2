"""The chart's probe where clients must show certificates: a kubelet has none."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.deploy.tools import render
from tests.service.grpc_transport.certificates import Authority


def probe(port: int) -> int:
    """The exit code of the probe's script, asking a port of this machine."""
    (deployment,) = [
        document for document in render(tls={"secretName": "tls", "clientCA": True}) if document["kind"] == "Deployment"
    ]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    _, option, script = container["readinessProbe"]["exec"]["command"]
    script = script.replace("3000", str(port)).replace("timeout=4", "timeout=0.5")
    return subprocess.run([sys.executable, option, script], capture_output=True, check=False).returncode


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def mutual(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The port of a server that asks for certificates, with one version of TLS."""
    authority = Authority(tmp_path, "authority")
    signed = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.load_cert_chain(signed.certificate, signed.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = request.param
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                context.wrap_socket(listening.accept()[0], server_side=True).close()

        thread = Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(timeout=10)


def test_a_serving_worker_is_ready(mutual: int) -> None:
    """The server refuses the probe, which has no certificate; that is answer enough."""
    assert probe(mutual) == 0


def test_a_worker_that_still_loads_is_not() -> None:
    """The supervisor listens from the start; nobody answers until the model is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as loading:
        assert probe(loading.getsockname()[1]) != 0


def test_nobody_is_not() -> None:
    """A port that nobody listens on fails the probe."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert probe(port) != 0
