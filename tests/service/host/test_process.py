"""A worker and the process that started it."""

import os
import subprocess
import sys

import psutil

from tests.service.live import LiveService

_WORKER = """
import asyncio, os
from semsim_service.host.process import stop_with_parent
print(os.getpid(), flush=True)
asyncio.run(stop_with_parent())
"""
_SUPERVISOR = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WORKER!r}])"
_PATIENCE = 20


def test_a_worker_stops_when_its_supervisor_is_killed() -> None:
    """A supervisor that is killed tells its worker nothing; it goes all the same, instead of keeping the ports."""
    with subprocess.Popen([sys.executable, "-c", _SUPERVISOR], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        worker = psutil.Process(int(supervisor.stdout.readline()))
        assert worker.ppid() == supervisor.pid
        supervisor.kill()
    worker.wait(_PATIENCE)


def test_a_workers_threads_share_one_heap(service: LiveService) -> None:
    """Glibc reads it when a process starts: so it is the supervisor that asks for it."""
    workers = psutil.Process(service.process).children(recursive=True)
    assert workers
    assert {worker.environ().get("MALLOC_ARENA_MAX") for worker in workers} == {os.environ.get("MALLOC_ARENA_MAX", "1")}
