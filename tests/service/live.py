"""A real service in its own process, as `semsim serve` starts it."""

import base64
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 90

CLIENT = httpx.Client(timeout=60)
"""One client for all: making one costs more than a request."""


@dataclass(frozen=True)
class LiveService:
    """Where it listens, and what it has logged."""

    url: str
    log_file: Path
    grpc: str
    """The address of gRPC."""
    process: int
    """The process that started the workers."""

    @property
    def log(self) -> bytes:
        """Everything the service has printed so far."""
        return self.log_file.read_bytes()

    @property
    def home(self) -> Path:
        """Its BENTOML_HOME."""
        return self.log_file.parent

    def post(self, pairs: list[dict[str, object]]) -> httpx.Response:
        """POST /score with JSON pairs."""
        return CLIENT.post(f"{self.url}/score", json={"pairs": pairs})


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    home: Path,
    command: list[str] | None = None,
    cwd: Path | None = None,
    tls: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[LiveService]:
    """Serve until the block ends; by default `semsim serve` with the environment's settings."""
    port, grpc_port = free_port(), free_port()
    arguments = command or [str(Path(sys.executable).parent / "semsim"), "serve"]
    log_file = home / "service.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*arguments, "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=os.environ
            | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "SEMSIM_GRPC__PORT": str(grpc_port)}
            | environment,
        )
        scheme = "http" if tls is None else "https"
        service = LiveService(f"{scheme}://127.0.0.1:{port}", log_file, f"127.0.0.1:{grpc_port}", process.pid)
        try:
            _wait_until_ready(service, process, tls)
            yield service
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(service: LiveService, process: "subprocess.Popen[bytes]", tls: ssl.SSLContext | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{service.url}/readyz", timeout=5, verify=True if tls is None else tls).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the service did not get ready:\n{service.log.decode(errors='replace')}")


def base64_pair(original: bytes, reconstruction: bytes, pair_id: str | None = None) -> dict[str, object]:
    """One pair of a JSON request."""
    pair: dict[str, object] = {
        "original": base64.b64encode(original).decode(),
        "reconstruction": base64.b64encode(reconstruction).decode(),
    }
    return pair if pair_id is None else pair | {"id": pair_id}
