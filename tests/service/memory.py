"""The anonymous memory of a service, of which an attack may take little."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_SETTLED = 2**20
_SETTLE_SECONDS = 0.2
_PATIENCE = 30.0


def anonymous_bytes(supervisor: int) -> int:
    """The anonymous memory of a service's processes, but those that decode pictures, whose bound is another."""
    return sum(_of_each(supervisor))


def settled_bytes(supervisor: int) -> int:
    """The same, once it changes no more: a scoring process starts after the service is ready."""
    deadline = time.monotonic() + _PATIENCE
    size, before = anonymous_bytes(supervisor), 0
    while abs(size - before) > _SETTLED and time.monotonic() < deadline:
        time.sleep(_SETTLE_SECONDS)
        size, before = anonymous_bytes(supervisor), size
    return size


def _of_each(supervisor: int) -> Iterator[int]:
    root = psutil.Process(supervisor)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error, OSError):  # it has ended meanwhile
            if "semsim_service.core.picture_process" not in process.cmdline():
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
