"""The environment that a supervisor gives its workers."""

import os

import psutil
import pytest

from tests.service.live import LiveService

pytestmark = pytest.mark.slow


def test_a_workers_threads_share_one_heap(service: LiveService) -> None:
    """Glibc reads the variable when a process starts, so that the supervisor sets it for its workers."""
    workers = psutil.Process(service.process).children(recursive=True)
    assert workers
    assert {worker.environ().get("MALLOC_ARENA_MAX") for worker in workers} == {os.environ.get("MALLOC_ARENA_MAX", "1")}
