"""A worker's ties to its supervisor: it says when it is ready, and goes when the supervisor is gone.

The supervisor gives its process number and the end of a pipe in one environment variable, which its workers inherit.
"""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

from semsim.exceptions import SemSimError

VARIABLE = "SEMSIM_SUPERVISOR"
"""The environment variable: the supervisor's process number, a colon, and the descriptor of the pipe."""
REFUSED = 2
"""The exit status of a worker that tells itself, in one line, why it cannot start."""
_LOOK_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class SupervisorTie:
    """A worker's tie to the supervisor that started it."""

    process: int
    descriptor: int

    @classmethod
    def of_environment(cls) -> "SupervisorTie | None":
        """The tie of this process. None = the process that started it is no supervisor of this service."""
        process, _, descriptor = os.environ.get(VARIABLE, "").partition(":")
        if not (process.isdecimal() and descriptor.isdecimal()) or int(process) == os.getpid():
            return None
        return cls(int(process), int(descriptor))

    @property
    def holds(self) -> bool:
        """True while the supervisor is there: a process whose parent is gone gets another one."""
        return os.getppid() == self.process

    def tell_ready(self) -> None:
        """Tell the supervisor that this worker serves."""
        with suppress(OSError):  # the supervisor is gone
            os.write(self.descriptor, f"{os.getpid()}\n".encode())

    def end_with_supervisor(self) -> None:
        """Let the kernel end this process once the supervisor has ended, until :meth:`follow` sees to it. On Linux."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if not self.holds:  # it has ended before
            os._exit(REFUSED)

    def follow(self, grace: float) -> None:
        """Stop this process as SIGTERM does once the supervisor is gone, and end it where it does not stop in time.

        A supervisor that was killed cannot stop its workers: they would keep both ports, and no other service could
        start. A thread looks, so that neither a model that is loaded nor a busy event loop delays it.

        Args:
            grace: the seconds from SIGTERM to SIGKILL.
        """
        threading.Thread(target=self._follow, args=(grace,), name="supervisor", daemon=True).start()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)

    def _follow(self, grace: float) -> None:
        while self.holds:
            time.sleep(_LOOK_SECONDS)
        # BentoML's configuration of logging turns off the loggers that are there before it, as this module is.
        logging.getLogger("semsim.service").error("the supervisor of this worker is gone: it stops")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def starting() -> Iterator[None]:
    """The block in which a worker starts. A supervised worker whose start is refused says so in one line, and ends."""
    try:
        yield
    except SemSimError as error:
        if SupervisorTie.of_environment() is None:
            raise
        _refuse(error)


def _refuse(error: SemSimError) -> NoReturn:
    print(f"error [{error.code}]: {error}", file=sys.stderr, flush=True)
    os._exit(REFUSED)  # BentoML would write a trace of a hundred lines
