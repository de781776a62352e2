"""Freed memory goes back to the system when the process gives it back."""

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import psutil
from semsim.memory import give_back_freed_memory

blocks = [bytearray(32 * 2**10) for _ in range(2048)]
between = blocks[::8]
before = psutil.Process().memory_info().rss
del blocks
freed = psutil.Process().memory_info().rss
give_back_freed_memory()
print(before - freed, freed - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_free_pages_between_blocks_in_use_go_back() -> None:
    """Freed blocks with one in use between every few stay, until they are given back: 56 of 64 MiB are free here."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True)
    kept, given_back = (int(each) / 2**20 for each in done.stdout.split())
    assert kept < 8
    assert given_back > 40
