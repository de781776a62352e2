"""Tunes the memory, the interpreter and the threads of a worker for its work."""

import asyncio
import gc
import os
import sys

from semsim.memory import give_back_freed_memory

# CPython's own are 700 (2000 from 3.12), 10, 10: under load a full collection every second, each through all objects.
_THRESHOLDS = (50_000, 50, 50)
_COLLECT_SECONDS = 0.5
_YOUNG_COLLECTIONS = 10
"""The number of young collections before a full one."""
_GIVE_BACK_SECONDS = 30.0
_SWITCH_SECONDS = 0.0001
_NICENESS = 5


def tune_collector() -> None:
    """Freeze all objects of this moment, so that no collection looks at them. Call it once the model is warm."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def collect_regularly() -> None:
    """Collect the young objects twice a second, and all objects every few seconds, until cancelled.

    The thresholds count objects, not bytes. A few hundred refused requests, whose errors and bodies refer to each
    other, would otherwise stay for minutes, and take gigabytes. Each gRPC call leaves such a ring in grpcio, too. A
    ring that is in use while the young objects are collected counts as old from then on. CPython by itself looks at the
    old objects only when they are a quarter of all that were there before the freeze: memory then rose for as long as a
    soak took. Here the old objects are few, since the rest is frozen, and a look at them takes milliseconds.
    """
    while True:
        for _ in range(_YOUNG_COLLECTIONS):
            await asyncio.sleep(_COLLECT_SECONDS)
            gc.collect(1)
        gc.collect()


async def give_back_regularly() -> None:
    """Give freed memory back to the system every half minute, until cancelled.

    Requests of all sizes leave free pages between blocks in use, and these become more for as long as the sizes vary.
    The work is done in a thread, so that the event loop goes on.
    """
    while True:
        await asyncio.sleep(_GIVE_BACK_SECONDS)
        await asyncio.to_thread(give_back_freed_memory)


def tune_switching() -> None:
    """Let a thread that waits for the interpreter have it after a tenth of a millisecond, not after five.

    Array operations let go of it, and the groups' thread needs it back after each while the event loop is busy.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def let_network_go_first(network_threads: int) -> None:
    """Lower the priority of this thread, and of those that it starts from now on, below that of the network's threads.

    Each call of gRPC wakes small threads of grpcio again and again, and on a busy machine they would put the network's
    thread off its core. Where the network takes every core (0 = one thread a core) the priority stays: the others would
    get too little time to feed the network, and its batches would be small.
    """
    if 0 < network_threads < len(os.sched_getaffinity(0)):
        os.nice(_NICENESS)  # on Linux of this thread alone
