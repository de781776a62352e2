"""Compose mounts files that exist, listens on loopback, and locks the container down like the chart."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from semsim_service.settings import Settings
from tests.conftest import ROOT
from tests.deploy.promql import DEPLOY
from tests.service.grpc_transport.certificates import Authority, Signed

FOLDER = DEPLOY / "compose"
BASE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
GPU = yaml.safe_load((FOLDER / "compose.gpu.yaml").read_text())
TLS = yaml.safe_load((FOLDER / "compose.tls.yaml").read_text())


class Ready(BaseHTTPRequestHandler):
    """Answers every request with 200."""

    def do_GET(self) -> None:
        """Answer 200, whatever is asked for."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def answering(signed: Signed | None) -> Iterator[int]:
    """The port of a server that is ready, over TLS where it has a certificate."""
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        if signed is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(signed.certificate, signed.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("compose", [BASE, GPU, TLS], ids=["base", "gpu", "tls"])
def test_what_is_mounted_is_there(compose: dict[str, Any]) -> None:
    """Every file that a service mounts is in the repository; named volumes are declared."""
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).resolve().exists(), source
            else:
                assert source in compose["volumes"]


def test_it_listens_on_loopback() -> None:
    """Every port is published on loopback, since requests carry originals, and Grafana has no login."""
    ports = [port for service in BASE["services"].values() for port in service["ports"]]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("override_file", [GPU, TLS], ids=["gpu", "tls"])
def test_overrides_add_to_services_that_exist(override_file: dict[str, Any]) -> None:
    """An override names services of the base, and replaces a file of Prometheus rather than adding one."""
    assert override_file["services"].keys() <= BASE["services"].keys()
    (override,) = override_file["services"]["prometheus"]["volumes"]
    replaced = [volume.split(":")[1] for volume in BASE["services"]["prometheus"]["volumes"]]
    assert override.split(":")[1] in replaced


def test_beyond_loopback_it_speaks_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The port for other machines comes with a certificate and its key, as settings of the service."""
    for name in [name for name in os.environ if name.startswith("SEMSIM_")]:
        monkeypatch.delenv(name)
    service = TLS["services"]["semsim"]
    assert all(port.startswith("${SEMSIM_ADDRESS:?") for port in service["ports"])
    assert {f"/run/secrets/{name}" for name in service["secrets"]} == set(service["environment"].values())
    assert set(service["secrets"]) == TLS["secrets"].keys()
    for name, path in service["environment"].items():
        file = tmp_path / Path(path).name
        file.touch()
        monkeypatch.setenv(name, str(file))
    assert Settings().tls.certificate is not None


@pytest.mark.parametrize("compose", [BASE, TLS], ids=["base", "tls"])
def test_healthchecks_see_a_service(compose: dict[str, Any], tmp_path: Path) -> None:
    """A server that answers passes, over TLS with the override. A free port or a server of the other protocol fails."""
    _, python, option, script = compose["services"]["semsim"]["healthcheck"]["test"]
    assert (python, option) == ("python", "-c")

    def healthy(port: int) -> bool:
        code = script.replace("3000", str(port))
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0

    plain, tls = compose is BASE, compose is TLS
    with answering(None) as port:
        assert healthy(port) == plain
    with answering(Authority(tmp_path, "authority").sign("server")) as port:
        assert healthy(port) == tls
    assert not healthy(port)


def test_an_accepted_request_is_answered() -> None:
    """Compose waits for the longest request over HTTP, and one over gRPC after it."""
    grace = BASE["services"]["semsim"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > 2 * Settings.model_fields["request_seconds"].default


def test_the_container_is_locked_down() -> None:
    """The container has a read-only root and no capabilities. The two folders that it writes to are in memory."""
    service = BASE["services"]["semsim"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp", "/var/lib/semsim"]  # noqa: S108
    assert "privileged" not in service


def test_the_token_stays_out_of_the_repository() -> None:
    """Git ignores the file that holds the token."""
    token = (FOLDER / BASE["secrets"]["semsim-token"]["file"]).relative_to(ROOT)
    ignored = subprocess.run(["git", "check-ignore", "-q", str(token)], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_grafana_finds_what_is_provisioned() -> None:
    """The folder of dashboards is the mounted one, and the data source is Compose's Prometheus."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    provider = yaml.safe_load((provisioning / "dashboards" / "semsim.yaml").read_text())["providers"][0]
    mounted = [Path(volume.split(":")[1]) for volume in BASE["services"]["grafana"]["volumes"]]
    assert any(path.parent == Path(provider["options"]["path"]) for path in mounted)
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
