"""Keeping the memory that work of one size frees and asks for again and again."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory(largest: int = 2**30, most: int = 2**31 - 1) -> None:
    """Tell glibc, where glibc is, to keep freed buffers; for the whole process, so that only its edges call it.

    It would map each large buffer afresh, and the system would zero its pages at every iteration: the pixel
    metrics of eight 64x64 pairs take two and a half times as long then.

    Args:
        largest: bytes up to which a buffer is kept when it is freed.
        most: free bytes at the end of the heap past which they are given back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, largest)
        mallopt(_TRIM_THRESHOLD, most)
