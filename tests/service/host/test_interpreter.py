"""The collector, the memory and the priorities of a worker."""

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Iterator

import pytest

from semsim_service.host import interpreter
from semsim_service.host.interpreter import tune_collector


@pytest.fixture
def collector() -> Iterator[None]:
    """Put the collector's settings back after the test."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_the_collector_leaves_what_is_there_alone() -> None:
    """After the call a full collection looks at few objects, since all that were there are frozen."""
    thresholds = gc.get_threshold()
    gc.collect()
    before = len(gc.get_objects())
    try:
        tune_collector()
        assert gc.get_freeze_count() > 0.9 * before
        assert len(gc.get_objects()) < 0.1 * before
        assert gc.get_threshold() == (50_000, 50, 50)
    finally:  # for the tests that follow in this process
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@pytest.mark.parametrize("old", [False, True])
def test_garbage_does_not_pile_up(monkeypatch: pytest.MonkeyPatch, *, old: bool) -> None:
    """An object that only a ring holds is freed, also where it was in use during an earlier collection."""
    monkeypatch.setattr(interpreter, "_COLLECT_SECONDS", 0.01)

    class Body:
        def __init__(self) -> None:
            self.error = self

    async def run() -> None:
        collecting = asyncio.create_task(interpreter.collect_regularly())
        in_flight = Body()
        if old:
            gc.collect(1)
        body = weakref.ref(in_flight)
        del in_flight
        async with asyncio.timeout(30):
            while body() is not None:
                await asyncio.sleep(0.01)
        collecting.cancel()

    asyncio.run(run())


def test_freed_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freed memory is given back again and again, and not by the event loop's thread."""
    threads: list[int] = []
    monkeypatch.setattr(interpreter, "_GIVE_BACK_SECONDS", 0.01)
    monkeypatch.setattr(interpreter, "give_back_freed_memory", lambda: threads.append(threading.get_ident()))

    async def run() -> None:
        giving_back = asyncio.create_task(interpreter.give_back_regularly())
        async with asyncio.timeout(30):
            while len(threads) < 2:
                await asyncio.sleep(0.01)
        giving_back.cancel()

    asyncio.run(run())
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(("network_threads", "niceness"), [(0, 0), (1, 5), (2, 0), (3, 0)])
def test_network_goes_first_where_it_leaves_a_core(
    monkeypatch: pytest.MonkeyPatch, network_threads: int, niceness: int
) -> None:
    """The thread that asks and those that it starts get a lower priority. Other threads keep theirs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    priorities: list[int] = []

    def look() -> None:
        priorities.append(os.getpriority(os.PRIO_PROCESS, 0))

    def ask() -> None:
        interpreter.let_network_go_first(network_threads)
        look()
        started = threading.Thread(target=look)
        started.start()
        started.join()

    look()
    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    look()
    before, asked, started_thread, after = priorities
    assert (asked - before, started_thread - before, after - before) == (niceness, niceness, 0)
