"""The BENTOML_HOME of a server: it has room for the metrics, can be written, and belongs to one server alone."""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from semsim.exceptions import InvalidOption
from semsim_service.observing.pages import PAGE_BYTES

_LOCK = "semsim.lock"
_REPLACED = "semsim-bentoml-"
_STARTING_SECONDS = 300
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)
# A worker has a page for counters, one for histograms and one for each kind of gauge. A dead worker's stay.
_PAGES_A_WORKER = 10
# The descriptors are held until the process ends. Closing one would give its lock back.
_held: list[int] = []


def home_of(port: int) -> Path:
    """The BENTOML_HOME of a port. A second server with the same home would wipe the metrics of the first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # as the XDG specification asks for
        cache = Path.home() / ".cache"
    return cache / "semsim" / f"bentoml-{port}"


def writable_home(home: Path) -> Path:
    """``home``, or a new folder for temporary files where ``home`` is read-only: BentoML itself would not start there.

    Raises:
        InvalidOption: neither can be written.
    """
    try:
        _probe(home, 0)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise _unusable(home, error) from None
        _remove_abandoned(Path(tempfile.gettempdir()))
        try:
            return Path(tempfile.mkdtemp(prefix=_REPLACED))
        except OSError as second:
            raise _unusable(home, error, f", and for temporary files: {second.strerror}") from None
    return home


def check_room(home: Path, workers: int) -> None:
    """Check that the metrics of a server's workers have room, by taking it for a moment.

    Raises:
        InvalidOption: they have none, and the workers would die one after another.
    """
    try:
        _probe(home, (workers * _PAGES_A_WORKER + 1) * PAGE_BYTES)
    except OSError as error:
        if error.errno not in _READ_ONLY:  # BentoML keeps the metrics elsewhere then
            raise _unusable(home, error) from None


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


def _remove_abandoned(directory: Path) -> None:
    """Remove the folders of servers that have ended: each took the place of a read-only home, and nobody needs it."""
    for home in directory.glob(f"{_REPLACED}*"):
        try:
            if time.time() - home.stat().st_mtime < _STARTING_SECONDS or home.stat().st_uid != os.getuid():
                continue  # it may be that of a server that starts, and has not locked it yet
            with (home / _LOCK).open("rb+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home)
        except OSError:  # a server uses it, or it is nothing that a server has left
            continue


def _probe(home: Path, size: int) -> None:
    """Make a file of ``size`` bytes, all of them on the disk, in ``home``, and remove it."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=home) as file:
        if size:
            os.posix_fallocate(file.fileno(), 0, size)


def _unusable(home: Path, error: OSError, more: str = "") -> InvalidOption:
    full = f"a full disk: {_PAGES_A_WORKER * PAGE_BYTES >> 10} KiB a worker are needed"
    got = full if error.errno in _FULL else str(error.strerror)
    return InvalidOption(f"expected a BENTOML_HOME that can be written, got {got}, at {home}{more}")
