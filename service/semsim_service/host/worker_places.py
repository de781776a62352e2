"""The places of the workers that serve. A spare worker, which has imported everything, waits until one is free.

A place is a byte of a file in memory, locked by the worker that has it. The kernel unlocks it when that worker ends,
however it ends, so that the spare one goes on without being told.
"""

import fcntl
import os
import time
from contextlib import suppress

from semsim.exceptions import InvalidOption

VARIABLE = "SEMSIM_PLACES"
"""The environment variable: the supervisor's process number, the descriptor of its file, and the number of places."""
_LOOK_SECONDS = 0.05
# The descriptors are held until the process ends. Closing one would give its place back.
_held: list[int] = []


def offer_places(count: int) -> None:
    """Make the file with ``count`` places, and name it to the workers that this process starts. For Linux alone."""
    descriptor = os.memfd_create("semsim-places")
    os.environ[VARIABLE] = f"{os.getpid()}:{descriptor}:{count}"


def wait_for_place() -> None:
    """Wait until a place is free, and take it. Without a supervisor that offers places nobody waits.

    Raises:
        InvalidOption: this worker may not open its supervisor's file. It would serve beside the others.
    """
    parts = os.environ.get(VARIABLE, "").split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return
    supervisor, descriptor, count = map(int, parts)
    try:
        # The supervisor's own descriptor is not inherited. A lock belongs to a process, and children do not share it.
        file = os.open(f"/proc/{supervisor}/fd/{descriptor}", os.O_RDWR)
    except OSError as error:
        if supervisor != os.getppid():  # the variable is another supervisor's
            return
        raise InvalidOption(
            f"expected workers that may open their supervisor's files, for spare_worker, got: {error.strerror}"
        ) from None
    _held.append(file)
    while True:
        for place in range(count):
            with suppress(BlockingIOError, PermissionError):
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                return
        time.sleep(_LOOK_SECONDS)
