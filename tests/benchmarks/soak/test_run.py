"""The marks that images left behind are found."""

import base64
from pathlib import Path

from benchmarks.harness.questions import Mark
from benchmarks.soak.run import find_marks

MARK = Mark.of(1)


def test_marks_are_found_in_any_shape(tmp_path: Path) -> None:
    """A mark is found as it is, in hexadecimal, and in base64 at any alignment; a file without it is not reported."""
    (tmp_path / "none").write_bytes(b"x" * 100)
    for index, content in enumerate(
        (MARK.text, MARK.text.hex().encode(), *(base64.b64encode(b"abcd"[:n] + MARK.text + b"xyz") for n in range(4)))
    ):
        (tmp_path / f"holds{index}").write_bytes(b"\0" * 7 + content)
    count, holding = find_marks(MARK, [tmp_path])
    assert count == 7
    assert [path.name for path in holding] == [f"holds{index}" for index in range(6)]
