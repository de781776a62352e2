"""Processes beside this one: asked for measurements, looked at from outside, and stopped."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil  # type: ignore[import-untyped]

_STOP_SECONDS = 5


class Worker:
    """A process that runs a module and answers each line of JSON with one."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer to one job.

        Raises:
            RuntimeError: it ended instead.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("expected a process with pipes")
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"expected an answer to {job}, got a process that ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(_STOP_SECONDS)


def answer_jobs(work: Callable[..., dict[str, Any]]) -> None:
    """The other side of a :class:`Worker`: ``work`` with each job's values, until there are no more."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(work(**json.loads(line))) + "\n")
        sys.stdout.flush()


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """CPU that they have taken so far, user and system."""
    times = [process.cpu_times() for process in processes]
    return float(sum(time.user + time.system for time in times))


def thread_seconds(process: psutil.Process) -> dict[int, float]:
    """CPU that each of its threads has taken so far."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}


def resident_bytes(processes: Sequence[psutil.Process]) -> int:
    """Their resident memory, added up: pages that they share count once each."""
    return sum(int(process.memory_info().rss) for process in processes)


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


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, paused or not, with everything below it."""
    with suppress(psutil.NoSuchProcess):
        everything = tree(process.pid)
        for each in everything:
            each.resume()
        process.terminate()
        _, left = psutil.wait_procs(everything, timeout=_STOP_SECONDS)
        for each in left:
            each.kill()
    process.wait()
