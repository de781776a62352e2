"""One BENTOML_HOME a server: BentoML empties its metrics at each start, whoever still writes to them."""

import errno
import fcntl
import os
from pathlib import Path

from semsim.exceptions import InvalidOption

_LOCK = "semsim.lock"
# Held until the process ends; closing it would give the lock back.
_held: list[int] = []


def claim_home(home: Path) -> None:
    """Lock the directory for as long as this process lives.

    Where there can be no lock (a read-only or a network file system) there is none, and no metrics to wipe: BentoML
    then keeps them elsewhere.

    Raises:
        InvalidOption: another server has it.
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
