"""A real service in its own process, as `semsim serve` starts it."""

import base64
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.harness.server import running, semsim_serve, two_free_ports

_PATIENCE = 30
CLIENT = httpx.Client(timeout=60)
"""One client for all: making one costs more than a request."""


@dataclass(frozen=True)
class LiveService:
    """A service that listens."""

    url: str
    home: Path
    """The server's BENTOML_HOME."""
    grpc: str
    """The address of gRPC."""
    process: int
    """The process that started the workers."""

    @property
    def log(self) -> bytes:
        """Everything the service has printed so far."""
        return (self.home / "service.log").read_bytes()

    def post(self, pairs: list[dict[str, object]]) -> httpx.Response:
        """POST /score with JSON pairs."""
        return CLIENT.post(f"{self.url}/score", json={"pairs": pairs})


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something is true, half a minute at most."""
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port() -> int:
    """A port nobody listens on at the moment."""
    return two_free_ports()[0]


@contextmanager
def serving(
    home: Path,
    command: list[str] | None = None,
    cwd: Path | None = None,
    tls: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[LiveService]:
    """Serve until the block ends; by default `semsim serve` with the environment's settings."""
    with running(command or semsim_serve(), home, environment, cwd=cwd, tls=tls) as server:
        yield LiveService(server.url, home, server.grpc_target, server.process.pid)
    assert server.process.returncode != -signal.SIGKILL, "the service did not end in time"


def base64_pair(original: bytes, reconstruction: bytes, pair_id: str | None = None) -> dict[str, object]:
    """One pair of a JSON request."""
    pair: dict[str, object] = {
        "original": base64.b64encode(original).decode(),
        "reconstruction": base64.b64encode(reconstruction).decode(),
    }
    return pair if pair_id is None else pair | {"id": pair_id}
