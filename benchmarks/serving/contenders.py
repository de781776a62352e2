"""The servers that are compared: how each is started, and in which forms it takes pairs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.messages import SCORE
from benchmarks.harness.processes import pause
from benchmarks.harness.questions import Form
from benchmarks.harness.server import running, semsim_serve

_OURS = "SemSim"
_TITLES = {
    Form.JSON: "JSON with PNG",
    Form.OCTETS: "raw over HTTP",
    Form.PIXEL_FORM: "raw in a form",
    Form.BATCH: "raw over gRPC",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and a form; several may be one process."""

    name: str
    form: Form
    path: str
    port: int
    pid: int

    @property
    def ours(self) -> bool:
        """True for the service itself, false for a peer."""
        return self.name == _OURS

    @property
    def title(self) -> str:
        """The name in a table."""
        return f"{self.name}, {_TITLES[self.form]}"


@dataclass(frozen=True, slots=True)
class ContenderServer:
    """The command of a server, and the requests that it takes."""

    name: str
    command: Sequence[str]
    ready_path: str
    """A path that answers 200 once the server is warm."""
    paths: dict[Form, str]


def _peer(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.serving.{module}"]


_PATHS = {Form.JSON: "/score", Form.OCTETS: "/score", Form.BATCH: SCORE}
OURS = ContenderServer(_OURS, semsim_serve(), "/readyz", _PATHS)
SERVERS = (
    OURS,
    ContenderServer("FastAPI", _peer("peer_fastapi"), "/docs", {Form.JSON: "/score", Form.OCTETS: "/raw"}),
    ContenderServer("LitServe", _peer("peer_litserve"), "/health", {Form.JSON: "/score", Form.PIXEL_FORM: "/score"}),
)


@contextmanager
def started(servers: Sequence[ContenderServer], scratch: Path) -> Iterator[list[Contender]]:
    """Run all servers until the block ends, each of them paused: a caller wakes the one it asks."""
    contenders = []
    with ExitStack() as stack:
        for one in servers:
            settings = {"OMP_NUM_THREADS": "1", "SEMSIM_PROVIDERS__CPU__THREADS": "1"}
            settings |= {} if one is OURS else {"SEMSIM_GRPC__PORT": "0"}
            home = scratch / one.name
            server = stack.enter_context(running(one.command, home, settings, ready_path=one.ready_path))
            pause(server.process.pid)
            for form, path in one.paths.items():
                port = server.grpc_port if form is Form.BATCH else server.port
                contenders.append(Contender(one.name, form, path, port, server.process.pid))
        yield contenders
