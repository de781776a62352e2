"""Processes seen from outside: what belongs to one, the memory and the processor time that they take."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psutil  # type: ignore[import-untyped]


def tree(pid: int, *, recursive: bool = True) -> list[psutil.Process]:
    """A process and all below it, or its children alone; nothing once it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive)]
    except psutil.NoSuchProcess:
        return []


def worker(pid: int) -> psutil.Process | None:
    """The child of the supervisor ``pid`` that serves, which is the largest; None where there is none."""
    return max(tree(pid, recursive=False)[1:], key=lambda process: memory_bytes([process]), default=None)


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Processor time that the processes have taken so far, as users and in the system; one that has ended counts 0."""
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a helper that the server started and that ended meanwhile
            seconds += sum(process.cpu_times()[:2])
    return seconds


def memory_bytes(processes: Sequence[psutil.Process], *, proportional: bool = False) -> int:
    """The memory of the processes, added up: a page that several share counts once for each, or ``proportional``."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss if proportional else process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile
    return total


def memory_mib(pid: int) -> float:
    """The memory of a process and all below it, MiB: a page that processes share counts once (PSS)."""
    return memory_bytes(tree(pid), proportional=True) / 2**20


@contextmanager
def watched_memory(pid: int) -> Iterator[list[tuple[float, float]]]:
    """A sample of :func:`memory_mib` a second, each behind its ``time.monotonic``, until the block ends."""
    samples: list[tuple[float, float]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            if mib := memory_mib(pid):
                samples.append((time.monotonic(), mib))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


@contextmanager
def awake(pid: int) -> Iterator[None]:
    """Let a process that :func:`pause` stopped, and all below it, run until the block ends."""
    for process in tree(pid):
        process.resume()
    try:
        yield
    finally:
        pause(pid)


def pause(pid: int) -> None:
    """Stop a process and all below it where they are: even an idle server may poll."""
    for process in tree(pid):
        process.suspend()


Elsewhere = Callable[..., Any]
"""Calls a function with arguments in another process, and waits for what it gives."""


@contextmanager
def process(initializer: Callable[[], object] | None = None) -> Iterator[Elsewhere]:
    """A process beside this one that does what it is given, until the block ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer) as executor:
        yield lambda *call: executor.submit(*call).result()
