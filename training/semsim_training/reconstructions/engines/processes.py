"""Shards in processes of one thread each, as many as the CPU has cores.

Two processes of one thread beat one of two threads by far: the layers of these victims are small.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from threading import Thread

from semsim_training.reconstructions.engines.finished import Finished
from semsim_training.reconstructions.shard import Shard


def run_in_processes(shards: Sequence[Shard], partials: Path, workers: int | None) -> Iterator[Finished]:
    """Compute shards; when the caller stops early, waiting ones are dropped and running ones cut off."""
    count = min(workers or len(os.sched_getaffinity(0)), len(shards)) or 1
    # Threads of the parent's libraries would not survive a fork.
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_as_worker)
    remaining = iter(shards)
    running: set[Future[Finished]] = set()
    try:
        while True:
            # No more in flight than can run: a shard carries its victim and its images.
            while len(running) < count and (shard := next(remaining, None)) is not None:
                running.add(pool.submit(Finished.by, shard, partials / f"{shard.name}.safetensors"))
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                running.remove(future)
                yield future.result()
    finally:
        for process in list((pool._processes or {}).values()):
            if running:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _as_worker() -> None:
    """Leave an interrupt to the parent, which stops everybody, and end with it: one that is killed stops nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
