"""A real server in a process of its own: started, waited for, looked at and stopped."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from random import SystemRandom
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]

from benchmarks.harness.processes import cpu_seconds, tree

HOST = "127.0.0.1"
_START_SECONDS = 180
_STOP_SECONDS = 30
# Below those that the system gives to connections: a client that calls while nobody listens could take one of these.
_PORTS = range(20_000, 30_000, 2)


class ServerFailed(RuntimeError):
    """The server did not start, or went away."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    process: "subprocess.Popen[bytes]"
    port: int
    grpc_port: int
    """The port of gRPC; 0 where the server speaks none."""
    home: Path
    """The folder of everything that the server may write: its BENTOML_HOME, its TMPDIR and its log."""
    ready_path: str
    tls: ssl.SSLContext | None

    @property
    def url(self) -> str:
        """The address of HTTP."""
        return f"{'http' if self.tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def grpc_target(self) -> str:
        """The address of gRPC."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def log(self) -> bytes:
        """Everything that the server has printed so far."""
        return (self.home / "service.log").read_bytes()

    def cpu_seconds(self) -> float:
        """Processor time that all processes of the server have taken so far."""
        return cpu_seconds(tree(self.process.pid))

    def wait_until_ready(self) -> None:
        """Wait until both ports answer. Raises :class:`ServerFailed` where the server ends, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, HTTPException):
                urlopen(self.url + self.ready_path, timeout=5, context=self.tls).close()  # noqa: S310  # our own address
                if self.grpc_port:
                    socket.create_connection((HOST, self.grpc_port), timeout=1).close()
                return
            time.sleep(0.1)
        log = self.log.decode(errors="replace")[-4000:]
        raise ServerFailed(f"expected a server that is ready within {_START_SECONDS} s, got:\n{log}")


def semsim_serve(model: Path | None = None) -> list[str]:
    """The command `semsim serve`, of an artifact or of the bundled one."""
    command = [str(Path(sys.executable).parent / "semsim"), "serve"]
    return command if model is None else [*command, "--model", str(model)]


@contextmanager
def running(
    command: Sequence[str],
    home: Path,
    environment: Mapping[str, str] | None = None,
    *,
    ready_path: str = "/readyz",
    cwd: Path | None = None,
    tls: ssl.SSLContext | None = None,
    cores: Set[int] | None = None,
) -> Iterator[Server]:
    """Run ``command --port PORT`` until the block ends, with a free port, and the one after it for gRPC.

    Everything that the server writes goes to ``home``. ``ready_path`` answers 200 once it is ready. Variables of
    ``environment`` win over those set here: ``SEMSIM_GRPC__PORT`` is 0 for a server without gRPC. ``tls`` says how to
    trust a server, and which certificate to show; ``cores`` are those that it may use. Raises :class:`ServerFailed`
    where it does not get ready.
    """
    scratch = home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    port, grpc_port = two_free_ports()
    variables = {
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "true",
        "TMPDIR": str(scratch),
        "SEMSIM_GRPC__PORT": str(grpc_port),
    } | dict(environment or {})
    with (home / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=log, stderr=log, cwd=cwd, env=os.environ | variables
        )
    if cores is not None:
        os.sched_setaffinity(process.pid, cores)  # before it has children, which inherit it
    server = Server(process, port, int(variables["SEMSIM_GRPC__PORT"]), home, ready_path, tls)
    try:
        server.wait_until_ready()
        yield server
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, paused or not, and then what it left behind; with SIGKILL where it does not end in time."""
    everything = tree(process.pid)
    for each in everything:
        with suppress(psutil.NoSuchProcess):
            each.resume()
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for each in everything:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGKILL)
    process.wait()


def two_free_ports() -> tuple[int, int]:
    """Two ports of loopback in a row, even and odd, on which nobody listens at the moment."""
    while True:
        port = SystemRandom().choice(_PORTS)
        try:
            for each in (port, port + 1):
                socket.create_server((HOST, each)).close()
        except OSError:
            continue
        return port, port + 1
