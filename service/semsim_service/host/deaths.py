"""Deaths of workers: the cause of each, a log line, and a count among the metrics."""

import os
import signal
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from prometheus_client.mmap_dict import mmap_key

from semsim_service.observing.pages import AllocatedPages


class DeathCause(StrEnum):
    """The cause of a worker's end that nobody asked for."""

    OUT_OF_MEMORY = "out_of_memory"
    """The kernel killed it, because the memory limit of its control group was reached."""
    KILLED = "killed"
    """Somebody sent SIGKILL, or the kernel did for want of memory on the machine."""
    BUS_ERROR = "bus_error"
    """It touched memory that is not there, such as a page of a file on a full disk."""
    SEGMENTATION_FAULT = "segmentation_fault"
    ABORTED = "aborted"
    SIGNAL = "signal"
    """Another signal ended it."""
    FAILED = "failed"
    """It ended by itself, with an exit status that is not 0."""
    ENDED = "ended"
    """It ended by itself, with the exit status 0."""


_SIGNALS = {
    signal.SIGKILL: DeathCause.KILLED,
    signal.SIGBUS: DeathCause.BUS_ERROR,
    signal.SIGSEGV: DeathCause.SEGMENTATION_FAULT,
    signal.SIGABRT: DeathCause.ABORTED,
}


def death_cause(status: int, *, out_of_memory: bool) -> DeathCause:
    """The cause of a process's end.

    Args:
        status: the status that ``os.waitpid`` gives.
        out_of_memory: True where the kernel has killed for the group's memory limit since the last look.
    """
    if not os.WIFSIGNALED(status):
        return DeathCause.FAILED if os.waitstatus_to_exitcode(status) else DeathCause.ENDED
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL and out_of_memory:
        return DeathCause.OUT_OF_MEMORY
    return _SIGNALS.get(signal.Signals(number), DeathCause.SIGNAL)


def describe_death(status: int, cause: DeathCause, limit: int | None) -> str:
    """The end of a process in words.

    Args:
        status: the status that ``os.waitpid`` gives.
        cause: the cause of the end.
        limit: the memory limit of the control group in bytes, or None.
    """
    if not os.WIFSIGNALED(status):
        return f"it ended by itself with exit status {os.waitstatus_to_exitcode(status)}"
    words = f"{signal.Signals(os.WTERMSIG(status)).name} ended it"
    match cause:
        case DeathCause.OUT_OF_MEMORY:
            size = "its control group" if limit is None else f"{limit / 2**20:.0f} MiB of its control group"
            return f"{words}, since the memory limit of {size} was reached"
        case DeathCause.KILLED:
            return f"{words}, sent by somebody, or by the kernel for want of memory on the machine"
        case DeathCause.BUS_ERROR:
            return f"{words}, as happens where a disk is full or a file is cut under a process that has it mapped"
        case _:
            return words


def shrink_pages(directory: Path, worker: int) -> None:
    """Give back the room of a dead worker's metrics: its gauges count no more, and its counters do not grow."""
    for page in directory.glob(f"*_{worker}.db"):
        with suppress(OSError):  # a scrape that forgets the worker may be faster
            if page.name.startswith("gauge_live"):
                page.unlink()
            else:
                os.truncate(page, int.from_bytes(page.read_bytes()[:4], sys.byteorder))


class DeathCounts:
    """The supervisor's page among the workers' metrics: ``semsim_worker_deaths_total`` by cause.

    Each worker's ``/metrics`` reads it. It has its room on the disk from the beginning.
    """

    def __init__(self, directory: Path) -> None:
        self._pages = AllocatedPages(str(directory / f"counter_{os.getpid()}.db"))
        self._counts = dict.fromkeys(DeathCause, 0)
        for cause in DeathCause:
            self._write(cause)

    def add(self, cause: DeathCause) -> None:
        """Count a death."""
        self._counts[cause] += 1
        self._write(cause)

    @property
    def total(self) -> int:
        """The number of all deaths so far."""
        return sum(self._counts.values())

    def _write(self, cause: DeathCause) -> None:
        name = "semsim_worker_deaths"
        help_text = "Workers that ended without being asked to, by cause. Each was replaced."
        key = mmap_key(name, f"{name}_total", ["cause"], [cause.value], help_text)
        self._pages.write_value(key, float(self._counts[cause]), 0.0)  # type: ignore[no-untyped-call]
