"""Watches the deaths of workers for the supervisor: tells of each, and says when another worker may start."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from semsim_service.host.deaths import DeathCause, DeathCounts, death_cause, describe_death, shrink_pages
from semsim_service.host.supervised import REFUSED
from semsim_service.observing.cgroup import memory_kills, memory_limit

logger = logging.getLogger("semsim.service")

# A worker that lives shorter than this counts as one that could not work.
_SHORT_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
_TRIES = 3
"""The number of first workers that may die of a signal before one was ready; then the service ends."""


class WorkerWatch:
    """The supervisor's knowledge of its workers' deaths.

    Args:
        directory: the directory of the workers' metrics, or None.
        ready: the descriptor from which the process numbers of workers that are ready are read.
        workers: the number of workers after which the service is ready.
        address: gives the addresses of the service, for the line of the log that says so.
    """

    def __init__(
        self, directory: Path | None, ready: int, workers: int = 1, address: Callable[[], str] = lambda: ""
    ) -> None:
        self.exit_code: int | None = None
        """The exit code with which the service shall end. None = it goes on."""
        self.resume = 0.0
        """The monotonic time before which no worker is started."""
        self._directory = directory
        self._counts = None if directory is None else DeathCounts(directory)
        self._ready = ready
        self._ever_ready = False
        self._still_starting = workers
        self._address = address
        self._short_lives = 0
        # The counts of the last two looks: a worker may be killed between a look at the count and one at the worker.
        self._kills = deque([memory_kills()] * 2, maxlen=2)

    def hear(self) -> None:
        """Read which workers have become ready, and say it once all of the first ones are.

        The kernel's count of processes killed for memory is read, too: decoders count in it as workers do.
        """
        self._kills.append(memory_kills())
        try:
            lines = os.read(self._ready, 4096).count(b"\n")
        except BlockingIOError:
            return
        self._ever_ready |= lines > 0
        if self._still_starting > 0:
            self._still_starting -= lines
            if self._still_starting <= 0:
                logger.info("ready%s", self._address())

    def died(self, worker: int, status: int, seconds: float) -> None:
        """Count and tell the death of a worker that nobody asked to stop, and decide what comes next.

        Args:
            worker: its process number.
            status: the status that ``os.waitpid`` gives.
            seconds: the seconds that it lived.
        """
        kills = memory_kills()
        cause = death_cause(status, out_of_memory=kills > self._kills[0])
        self._kills.extend([kills] * 2)
        if self._counts is not None and self._directory is not None:
            self._counts.add(cause)
            shrink_pages(self._directory, worker)
        self._short_lives = self._short_lives + 1 if seconds < _SHORT_SECONDS else 0
        what = f"worker {worker} died after {seconds:.1f} s [{cause}]: {describe_death(status, cause, memory_limit())}"
        by_itself = cause in (DeathCause.FAILED, DeathCause.ENDED)
        if not self._ever_ready and (by_itself or self._short_lives >= _TRIES):
            self.exit_code = REFUSED
            if os.waitstatus_to_exitcode(status) != REFUSED:  # that one has told itself
                logger.critical("%s. No worker has ever been ready: the service ends", what)
            return
        pause = 0.0 if self._short_lives < 2 else min(2.0 ** (self._short_lives - 2), _LONGEST_PAUSE_SECONDS)
        self.resume = time.monotonic() + pause
        when = "at once" if not pause else f"in {pause:g} s, because {self._short_lives} in a row lived shortly"
        logger.error("%s. Another one starts %s", what, when)
