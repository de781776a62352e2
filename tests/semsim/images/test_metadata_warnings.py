"""Broken metadata of a file do not flood its reader with warnings."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT

_ENTRIES = 2000


def with_broken_entries() -> bytes:
    """A PNG whose block of EXIF has thousands of entries that claim more bytes than the file has."""
    entries = b"".join(struct.pack("<HHII", 1000 + number, 7, 10**6, 8) for number in range(_ENTRIES))
    exif = struct.pack("<2sHIH", b"II", 42, 8, _ENTRIES) + entries + bytes(4)
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG", exif=exif)
    return file.getvalue()


@pytest.mark.slow
def test_a_file_gives_at_most_one_warning(tmp_path: Path) -> None:
    """`semsim score` of a PNG with thousands of broken entries of metadata prints at most one line of warning."""
    file = tmp_path / "broken.png"
    file.write_bytes(with_broken_entries())
    command = [str(Path(sys.executable).parent / "semsim"), "score", str(file), str(file)]
    scored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert scored.returncode in (0, 1, 3), scored.stderr
    assert scored.stderr.count("\n") <= 1, scored.stderr[:1000]
