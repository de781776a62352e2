"""Metric pages whose room on the disk is taken for real, so that a disk that fills up later kills nobody.

``prometheus_client`` maps files with holes. A write to a hole for which the disk has no room ends the process with
SIGBUS, which no code can catch.
"""

import logging
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import prometheus_client.values
from prometheus_client.mmap_dict import MmapedDict

logger = logging.getLogger("semsim.service")

PAGE_BYTES = 1 << 16
"""The size of a new file, which is that of ``prometheus_client``. A worker has one file for each kind of metric."""
# The bytes of an entry beside its key: its length, its padding, its value and its time.
_ENTRY_BYTES = 4 + 8 + 16


class AllocatedPages(MmapedDict):
    """A file of numbers without holes. Numbers for which the disk has no room lie in memory, and are not shared."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        super().__init__(filename if read_mode else _allocated(filename), read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _ENTRY_BYTES > self._capacity:
            self._take_room()
        super()._init_value(key)  # type: ignore[no-untyped-call]  # it doubles the file, as prepared

    def _take_room(self) -> None:
        """Take the room of a file of twice the size."""
        try:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        except OSError as error:
            _tell(Path(self._fname).parent, error.strerror)
            memory = os.memfd_create("metrics")
            os.write(memory, self._m[: self._used])
            self._f.close()
            self._f = os.fdopen(memory, "r+b")


def use_allocated_pages() -> None:
    """Let the metrics of this process be written to allocated pages. Call it before the first metric is made."""
    prometheus_client.values.MmapedDict = AllocatedPages  # type: ignore[attr-defined]


def _allocated(filename: str) -> str:
    """The name of a file that has its room: ``filename``, or a file in memory where the disk has none."""
    path = Path(filename)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size == 0:
                os.posix_fallocate(descriptor, 0, PAGE_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        _tell(path.parent, error.strerror)
        with suppress(OSError):
            path.unlink()
        return f"/proc/self/fd/{os.memfd_create('metrics')}"
    return filename


@cache
def _tell(directory: Path, reason: str | None) -> None:
    """Say once that there is no room, though each file lacks it."""
    logger.error(
        "expected room for this process's metrics in %s, got: %s; /metrics lacks its numbers until it starts again",
        directory,
        reason,
    )
