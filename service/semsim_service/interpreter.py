"""The memory, the interpreter and the threads of a worker, set for what a worker does."""

import asyncio
import gc
import os
import sys

from semsim.memory import give_back_freed_memory

# CPython's own are 700 (2000 from 3.12), 10, 10: under load a full collection every second, each through all objects.
_THRESHOLDS = (50_000, 50, 50)
_COLLECT_SECONDS = 0.5
_YOUNG_COLLECTIONS = 10
"""Of what is young, before one of everything."""
_GIVE_BACK_SECONDS = 30.0
_SWITCH_SECONDS = 0.0005
_NICENESS = 5


def tune_collector() -> None:
    """Call once the model is loaded and warm: what is there then stays, and is not looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def collect_regularly() -> None:
    """Collect what is young twice a second, and everything every few seconds, until cancelled.

    The thresholds count objects, not bytes: a few hundred refused requests, whose errors and bodies refer to each
    other, would otherwise stay for minutes, and be gigabytes. Each gRPC call leaves such a ring, too, in grpcio. One
    that is in flight while the young are collected counts as old from then on, and by itself CPython looks through
    the old only when they have become a quarter of all that was there before it was frozen: memory rose for as long as
    a soak took. Here they are few, since the rest is frozen, and looked through in milliseconds.
    """
    while True:
        for _ in range(_YOUNG_COLLECTIONS):
            await asyncio.sleep(_COLLECT_SECONDS)
            gc.collect(1)
        gc.collect()


async def give_back_regularly() -> None:
    """Give freed memory back to the system now and then, until cancelled.

    Requests of all sizes leave free pages between blocks in use: they are few, and become more for as long as the
    sizes vary. In a thread, because the event loop has better to do.
    """
    while True:
        await asyncio.sleep(_GIVE_BACK_SECONDS)
        await asyncio.to_thread(give_back_freed_memory)


def tune_switching() -> None:
    """Let a thread that waits for the interpreter have it after half a millisecond, not after five.

    Between two runs of the network the batcher's thread needs it for a moment, while the event loop is busy.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def let_network_go_first(network_threads: int) -> None:
    """Lower the priority of this thread, and of those that it starts from now on, below that of the network's threads.

    Each call of gRPC wakes small threads of its own again and again, and on a busy machine they would put the network's
    thread off its core. Not where the network takes every core (0 = one thread a core): the others would get too little
    of them to feed it, and its batches be small.
    """
    if 0 < network_threads < len(os.sched_getaffinity(0)):
        os.nice(_NICENESS)  # on Linux of this thread alone
