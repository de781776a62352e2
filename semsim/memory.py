"""Freed memory under glibc: kept while work asks for it again and again, and given back in the end."""

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory(largest: int = 2**30, most: int = 2**31 - 1) -> None:
    """Tell glibc, where glibc is, to keep freed buffers. This changes the whole process, so only its edges call it.

    By itself glibc maps each large buffer afresh, and the system zeroes its pages at every iteration: pixel metrics
    take a multiple of the time then.

    Args:
        largest: bytes up to which a buffer is kept when it is freed.
        most: free bytes at the end of the heap past which they are given back.
    """
    if (mallopt := _glibc("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, largest)
        mallopt(_TRIM_THRESHOLD, most)


def give_back_freed_memory() -> None:
    """Let glibc, where glibc is, give the system back the free pages between blocks in use: milliseconds.

    By itself glibc gives back only the end of its first heap, and free pages inside pile up as sizes vary. Even this
    call does not give back the ends of the heaps of other threads: only fewer heaps help against these
    (``MALLOC_ARENA_MAX``). The interpreter is not held meanwhile.
    """
    if (malloc_trim := _glibc("malloc_trim")) is not None:
        malloc_trim(ctypes.c_size_t(0))


def _glibc(name: str) -> Callable[..., int] | None:
    """The function of the C library with this name; None where the library is not glibc, or has no such function."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
