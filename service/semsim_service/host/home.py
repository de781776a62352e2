"""Locks the BENTOML_HOME of a server: BentoML empties its metrics at each start, even if another server writes them."""

import errno
import fcntl
import os
from pathlib import Path

from semsim.exceptions import InvalidOption

_LOCK = "semsim.lock"
# The descriptors are held until the process ends. Closing one would give its lock back.
_held: list[int] = []


def claim_home(home: Path) -> None:
    """Lock the directory for as long as this process lives.

    A read-only or a network file system allows no lock. There are no metrics to wipe there either, since BentoML then
    keeps them elsewhere.

    Raises:
        InvalidOption: another server has locked it.
    """
    try:
        descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise InvalidOption(
                f"expected a BENTOML_HOME of its own for each server, got {home}, which another one is using"
            ) from None
        return
    _held.append(descriptor)
