"""The BENTOML_HOME of a server: it has room for the metrics, can be written, and belongs to one server alone."""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
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
    """The BENTOML_HOME of a port. A second server with the same home would wipe the metrics of the first.

    Raises:
        InvalidOption: neither the environment nor the system's list of users has a folder for it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # as the XDG specification asks for
        try:
            cache = Path.home() / ".cache"
        except RuntimeError:
            raise InvalidOption("expected BENTOML_HOME, XDG_CACHE_HOME or HOME, got a user without a home") from None
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
        _probe(home, _room(workers))
    except OSError as error:
        if error.errno not in _READ_ONLY:  # BentoML keeps the metrics elsewhere then
            raise _unusable(home, error) from None


def look_at_home(home: Path, workers: int) -> bool:
    """Do what a start does to a home, and leave nothing there. False where a folder for temporary files is taken.

    Raises:
        InvalidOption: a server of so many workers could not start with it.
    """
    there = existing_part(home)
    is_writable = True
    try:
        _probe(there, _room(workers))
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise _unusable(home, error) from None
        is_writable = False
        try:
            _probe(Path(tempfile.gettempdir()), _room(workers))
        except OSError as second:
            raise _unusable(home, error, f", and for temporary files: {second.strerror}") from None
    with suppress(FileNotFoundError, PermissionError), (home / _LOCK).open("rb+") as lock:
        _lock(lock.fileno(), home)
    return is_writable


def existing_part(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(part for part in (path.absolute(), *path.absolute().parents) if part.exists())


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
        if _lock(descriptor, home):
            _held.append(descriptor)
            return
    except InvalidOption:
        os.close(descriptor)
        raise
    os.close(descriptor)


def _lock(descriptor: int, home: Path) -> bool:
    """Lock a file of ``home``. False where its file system allows no lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise InvalidOption(
                f"expected a BENTOML_HOME of its own for each server, got {home}, which another one is using"
            ) from None
        return False
    return True


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


def _room(workers: int) -> int:
    """The bytes that the metrics of so many workers take."""
    return (workers * _PAGES_A_WORKER + 1) * PAGE_BYTES


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
