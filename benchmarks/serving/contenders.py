"""The servers that are compared: how each is started, and in which forms it takes pairs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.processes import pause
from benchmarks.harness.questions import Form
from benchmarks.harness.server import running, semsim_serve

TITLES = {
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
    """The path of the request, for HTTP."""
    port: int
    pid: int
    """The server's first process."""
    ours: bool

    @property
    def title(self) -> str:
        """The name in a table."""
        return f"{self.name}, {TITLES[self.form]}"


@dataclass(frozen=True, slots=True)
class ContenderServer:
    """How a server is started, and what it is asked."""

    name: str
    command: Sequence[str]
    ready_path: str
    """A path that answers 200 once it is warm."""
    forms: tuple[tuple[Form, str], ...]
    """Each with its path."""
    ours: bool = False


_PEER = (sys.executable, "-m")
OURS = ContenderServer(
    "SemSim", semsim_serve(), "/readyz", ((Form.JSON, "/score"), (Form.OCTETS, "/score"), (Form.BATCH, "")), ours=True
)
FASTAPI = ContenderServer(
    "FastAPI", (*_PEER, "benchmarks.serving.peer_fastapi"), "/docs", ((Form.JSON, "/score"), (Form.OCTETS, "/raw"))
)
LITSERVE = ContenderServer(
    "LitServe",
    (*_PEER, "benchmarks.serving.peer_litserve"),
    "/health",
    ((Form.JSON, "/score"), (Form.PIXEL_FORM, "/score")),
)
SERVERS = (OURS, FASTAPI, LITSERVE)


@contextmanager
def started(servers: Sequence[ContenderServer], scratch: Path) -> Iterator[list[Contender]]:
    """All of them at once, until the block ends, each paused: wake the one that is asked."""
    contenders = []
    with ExitStack() as stack:
        for one in servers:
            settings = {"OMP_NUM_THREADS": "1", "SEMSIM_PROVIDERS__CPU__THREADS": "1"}
            settings |= {} if one.ours else {"SEMSIM_GRPC__PORT": "0"}
            home = scratch / one.name
            server = stack.enter_context(running(one.command, home, settings, ready_path=one.ready_path))
            pause(server.process.pid)
            for form, path in one.forms:
                port = server.grpc_port if form is Form.BATCH else server.port
                contenders.append(Contender(one.name, form, path, port, server.process.pid, one.ours))
        yield contenders
