"""A worker and the process that started it."""

import os
import subprocess
import sys

import psutil
import pytest

from tests.service.live import LiveService

pytestmark = pytest.mark.slow

_WORKER = """
import asyncio, os
from semsim_service.host.process import stop_with_parent
print(os.getpid(), flush=True)
asyncio.run(stop_with_parent())
"""
_SUPERVISOR = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WORKER!r}])"
_PATIENCE = 20


def test_a_worker_stops_when_its_supervisor_is_killed() -> None:
    """A worker whose supervisor is killed, and so cannot tell it to stop, goes all the same and frees its ports."""
    with subprocess.Popen([sys.executable, "-c", _SUPERVISOR], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        worker = psutil.Process(int(supervisor.stdout.readline()))
        assert worker.ppid() == supervisor.pid
        supervisor.kill()
    worker.wait(_PATIENCE)


def test_a_workers_threads_share_one_heap(service: LiveService) -> None:
    """Glibc reads the variable when a process starts, so that the supervisor sets it for its workers."""
    workers = psutil.Process(service.process).children(recursive=True)
    assert workers
    assert {worker.environ().get("MALLOC_ARENA_MAX") for worker in workers} == {os.environ.get("MALLOC_ARENA_MAX", "1")}
