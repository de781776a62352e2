"""The metrics of a server's processes: a supervisor and all that it has started."""

import socket
import subprocess
import sys
from typing import IO

import psutil
import pytest
from prometheus_client import CollectorRegistry

from semsim_service.observing.server_processes import ServerProcesses

pytestmark = pytest.mark.slow

# A supervisor with a worker that takes some processor time and listens, and a worker that has ended.
_SUPERVISOR = """
import subprocess, sys
busy = "import time\\nwhile time.process_time() < 0.5: pass\\n"
listen = "import socket\\nserver = socket.create_server(('', 0))\\nprint(server.getsockname()[1], flush=True)\\n"
wait = "taken = [server.accept() for _ in range(2)]\\nprint('taken', flush=True)\\nimport time\\ntime.sleep(1000)"
subprocess.run([sys.executable, "-S", "-c", busy])
subprocess.run([sys.executable, "-S", "-c", busy + listen + wait])
"""


def test_the_numbers_are_those_of_all_processes() -> None:
    """Memory and processor time add up, those of ended workers too; connections are told apart by their port."""
    supervisor = subprocess.Popen([sys.executable, "-S", "-c", _SUPERVISOR], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    with supervisor.stdout:
        try:
            _check(supervisor.pid, supervisor.stdout)
        finally:
            for process in [*psutil.Process(supervisor.pid).children(), supervisor]:
                process.kill()
            supervisor.wait()
    assert list(ServerProcesses(supervisor.pid, 1).collect()) == []


def _check(supervisor: int, told: IO[str]) -> None:
    port = int(told.readline())
    with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        assert told.readline() == "taken\n"
        for grpc_port, transport in ((port, "grpc"), (1, "http")):
            registry = CollectorRegistry()
            registry.register(ServerProcesses(supervisor, grpc_port))
            value = registry.get_sample_value
            assert {each: value("semsim_connections", {"transport": each}) for each in ("grpc", "http")} == {
                "grpc": 0,
                "http": 0,
            } | {transport: 2}
            assert (value("process_cpu_seconds_total") or 0) >= 0.9
            assert (value("process_resident_memory_bytes") or 0) > 2 * 2**20
            assert 0 < (value("process_open_fds") or 0) < (value("process_max_fds") or 0)
            assert value("process_start_time_seconds") == pytest.approx(psutil.Process(supervisor).create_time())
