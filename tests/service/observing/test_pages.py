"""The pages of the metrics have their room on the disk, or lie in memory; a full disk kills nobody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from semsim_service.observing.pages import PAGE_BYTES, AllocatedPages
from tests.conftest import ROOT
from tests.service.small_disk import on_small_disk

_KEYS = [json.dumps([f"metric_{number}", "x" * 100]) for number in range(2000)]


def test_a_page_has_no_holes(tmp_path: Path) -> None:
    """A new file has all its blocks, as it does after it has grown; its numbers are those that were written."""
    file = tmp_path / "counter_1.db"
    pages = AllocatedPages(str(file))
    assert file.stat().st_blocks * 512 >= file.stat().st_size == PAGE_BYTES
    for number, key in enumerate(_KEYS):
        pages.write_value(key, number, 0.0)
    assert file.stat().st_blocks * 512 >= file.stat().st_size > PAGE_BYTES
    read = {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(str(file))}
    assert read == {key: number for number, key in enumerate(_KEYS)}


_WRITE = """
import logging, os, sys
from semsim_service.observing.pages import AllocatedPages
logging.basicConfig(format="%(message)s")
pages = AllocatedPages(sys.argv[1])
others = [AllocatedPages(f"{sys.argv[1]}.{number}") for number in range(3)]
for number in range(2000):
    pages.write_value(f"metric_{number}" + "x" * 100, number, 0.0)
print(sum(value for _, value, _ in pages.read_all_values()), os.path.exists(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kilobytes", "stays"), [(32, False), (64, True)])
def test_a_full_disk_is_told_and_kills_nobody(tmp_path: Path, kilobytes: int, stays: bool) -> None:
    """Where the disk takes no file, or no larger one, the numbers go on in memory, and one line of the log says so."""
    disk = tmp_path / "disk"
    program = (sys.executable, "-c", _WRITE, str(disk / "counter_1.db"))
    command = on_small_disk(disk, f"size={kilobytes}k", *program)
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, f"{sum(range(2000)):.1f} {stays}\n"), ended.stderr
    assert ended.stderr.count("\n") == 1
    assert f"expected room for this process's metrics in {disk}, got: No space left" in ended.stderr
