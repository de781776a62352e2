"""The servers that are compared: how each is started, and in which forms it takes pairs."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ports import two_free_ports
from benchmarks.serving.cells import Format
from benchmarks.serving.processes import pause, stop

_START_SECONDS = 120

TITLES = {
    Format.JSON: "JSON with PNG",
    Format.RAW: "raw over HTTP",
    Format.FORM: "raw in a form",
    Format.GRPC: "raw over gRPC",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and a form; several may be one process."""

    name: str
    form: Format
    path: str
    """Of an HTTP server."""
    port: int
    pid: int
    """Of its first process."""
    ours: bool

    @property
    def title(self) -> str:
        """For a table."""
        return f"{self.name}, {TITLES[self.form]}"


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is started, on which ports it then listens, and what it is asked."""

    name: str
    command: Callable[[int], Sequence[str]]
    """From its HTTP port."""
    ready: str
    """A path that answers 200 once it is warm."""
    forms: tuple[tuple[Format, str], ...]
    """Each with its path."""
    ours: bool = False


def _semsim(port: int) -> Sequence[str]:
    return (str(Path(sys.executable).parent / "semsim"), "serve", "--port", str(port))


def _module(name: str) -> Callable[[int], Sequence[str]]:
    return lambda port: (sys.executable, "-m", f"benchmarks.serving.{name}", str(port))


OURS = Server(
    "SemSim",
    _semsim,
    "/readyz",
    ((Format.JSON, "/score"), (Format.RAW, "/score"), (Format.GRPC, "")),
    ours=True,
)
SERVERS = (
    OURS,
    Server(
        "FastAPI",
        _module("peer_fastapi"),
        "/docs",
        ((Format.JSON, "/score"), (Format.RAW, "/raw")),
    ),
    Server(
        "LitServe",
        _module("peer_litserve"),
        "/health",
        ((Format.JSON, "/score"), (Format.FORM, "/score")),
    ),
)


@contextmanager
def running(servers: Sequence[Server], scratch: Path) -> Iterator[list[Contender]]:
    """All of them at once, until the block ends, each paused: wake the one that is asked."""
    with ExitStack() as stack:
        yield [contender for server in servers for contender in stack.enter_context(_started(server, scratch))]


@contextmanager
def _started(server: Server, scratch: Path) -> Iterator[list[Contender]]:
    port, grpc_port = two_free_ports()
    home = scratch / server.name
    home.mkdir()
    settings = {
        "BENTOML_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "SEMSIM_GRPC__PORT": str(grpc_port),
        "SEMSIM_PROVIDERS__CPU__THREADS": "1",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            server.command(port),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | settings,
            start_new_session=True,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}{server.ready}", home / "log")
        pause(process.pid)
        yield [
            Contender(server.name, form, path, grpc_port if form is Format.GRPC else port, process.pid, server.ours)
            for form, path in server.forms
        ]
    finally:
        stop(process)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an address of our own
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"expected a server that gets ready, got:\n{log.read_text(errors='replace')[-4000:]}")
