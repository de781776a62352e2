"""What glibc does with freed memory: kept where work of one size asks for it again and again, given back in the end."""

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory(largest: int = 2**30, most: int = 2**31 - 1) -> None:
    """Tell glibc, where glibc is, to keep freed buffers; for the whole process, so that only its edges call it.

    It would map each large buffer afresh, and the system would zero its pages at every iteration: pixel metrics take a
    multiple of the time then.

    Args:
        largest: bytes up to which a buffer is kept when it is freed.
        most: free bytes at the end of the heap past which they are given back.
    """
    if (mallopt := _glibc("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, largest)
        mallopt(_TRIM_THRESHOLD, most)


def give_back_freed_memory() -> None:
    """Let glibc, where glibc is, give the system back the free pages between blocks in use: milliseconds.

    By itself it does so only at a heap's end, and the others pile up as sizes vary. Of the heaps of further threads it
    never gives back the end, not even here: only fewer heaps help against that, ``MALLOC_ARENA_MAX``. The interpreter
    is not held meanwhile.
    """
    if (malloc_trim := _glibc("malloc_trim")) is not None:
        malloc_trim(ctypes.c_size_t(0))


def _glibc(name: str) -> Callable[..., int] | None:
    """A function of its own kind of C library; None where that has none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
