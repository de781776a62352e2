"""Jobs in processes of one thread each, which hold a session."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any, TypeVar

from semsim.bulk.workers.scorer_recipe import ScorerRecipe
from semsim.exceptions import WorkerLost
from semsim.memory import keep_freed_memory
from semsim.scorer import Scorer

_Job = TypeVar("_Job")
_recipe: list[ScorerRecipe] = []
"""The recipe of a worker process; empty in the process that starts it."""


def run_in_worker_processes(scorer: Scorer, jobs: Iterable[_Job], workers: int | None) -> Iterator[tuple[_Job, Any]]:
    """Run jobs; when the caller stops early, waiting ones are dropped and running ones cut off.

    Raises:
        WorkerLost: a process died, as for want of memory.
        SemSimError: a job failed.
    """
    count = workers or len(os.sched_getaffinity(0))
    # Threads of the parent's session would not survive a fork.
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(ScorerRecipe.of(scorer),),
    )
    remaining = iter(jobs)
    running: dict[Future[Any], _Job] = {}
    try:
        while True:
            # One runs and one waits for each worker, which never stands idle while a result is written.
            while len(running) < 2 * count and (job := next(remaining, None)) is not None:
                running[pool.submit(_run, job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise WorkerLost(
            "expected worker processes that live until their work is done, got one that died, as for want of memory"
        ) from error
    finally:
        for process in list((pool._processes or {}).values()):
            if running:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _begin(recipe: ScorerRecipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's, which stops everybody
    keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _recipe.append(recipe)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: killed, it ends nobody, and would leave it waiting."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def _scorer() -> Scorer:
    # With the first job and not before: an error of the beginning would reach nobody.
    return _recipe[0].open()


def _run(job: Any) -> Any:
    return job(_scorer())
