"""The service under test: the real command, in a folder of its own, so that all it writes can be searched."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.ports import two_free_ports

HOST = "127.0.0.1"
START_SECONDS = 180
"""A start takes seconds; on a machine with much else to do, more."""


class ServiceFailed(RuntimeError):
    """The service did not start, did not end, or went away."""


@dataclass(frozen=True)
class Running:
    """A service that runs: where it listens, its processes, and its folder."""

    process: "subprocess.Popen[bytes]"
    http_port: int
    grpc_port: int
    folder: Path
    """Holds its BENTOML_HOME, its TMPDIR and its log: everything that it may write."""

    @property
    def grpc_target(self) -> str:
        """Its gRPC address."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def log(self) -> bytes:
        """Everything that it has printed so far."""
        return (self.folder / "service.log").read_bytes()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and all its children that are alive."""
        try:
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def worker(self) -> psutil.Process:
        """The child that holds the model: the largest.

        Raises:
            ServiceFailed: there is none.
        """
        children = self.processes()[1:]
        if not children:
            raise ServiceFailed("expected a worker below the supervisor, got none")
        return max(children, key=lambda child: child.memory_info().rss)

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def is_ready(self) -> bool:
        """Whether both its ports answer."""
        connection = HTTPConnection(HOST, self.http_port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            ready = connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return ready and (self.grpc_port == 0 or _listens(self.grpc_port))

    def wait_until_ready(self, seconds: float = START_SECONDS) -> float:
        """Wait for both ports; the seconds that it took.

        Raises:
            ServiceFailed: it ended, or took too long.
        """
        begin = time.monotonic()
        while time.monotonic() < begin + seconds and self.process.poll() is None:
            if self.is_ready():
                return time.monotonic() - begin
            time.sleep(0.1)
        log = self.log.decode(errors="replace")
        raise ServiceFailed(f"expected a service that is ready within {seconds:g} s, got:\n{log[-4000:]}")


@contextmanager
def running(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    model: Path | None = None,
    cores: Set[int] | None = None,
) -> Iterator[Running]:
    """`semsim serve` until the block ends.

    Args:
        folder: an empty folder for all that it writes.
        settings: environment variables ``SEMSIM_*``.
        model: an artifact; the bundled one when None.
        cores: the processor cores that it may use; all of them when None.

    Raises:
        ServiceFailed: it does not get ready.
    """
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    http_port, grpc_port = two_free_ports()
    command = [str(Path(sys.executable).parent / "semsim"), "serve"]
    command += ["--port", str(http_port), "--grpc-port", str(grpc_port)]
    command += [] if model is None else ["--model", str(model)]
    own = {"BENTOML_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "BENTOML_DO_NOT_TRACK": "true"}
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | own | dict(settings or {})
        )
    if cores is not None:
        os.sched_setaffinity(process.pid, cores)  # before it has children, which inherit it
    service = Running(process, http_port, grpc_port, folder)
    try:
        service.wait_until_ready()
        yield service
    finally:
        _end(service)


def _end(service: Running) -> None:
    """Stop it, and what it may have left behind."""
    left = service.processes()
    service.process.terminate()
    try:
        service.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        service.process.kill()
    for process in left:
        if process.is_running():
            process.send_signal(signal.SIGKILL)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
