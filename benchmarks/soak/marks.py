"""The search for anything that an image left behind: in the log, in files, in shared memory."""

import base64
from collections.abc import Iterable
from pathlib import Path

from benchmarks.harness.questions import Mark

_CHUNK_BYTES = 2**24


def find_marks(mark: Mark, places: Iterable[Path]) -> tuple[int, list[Path]]:
    """How many files lie below ``places``, and those that hold the mark: as it is, in hexadecimal or in base64."""
    text = mark.text
    # Without the first and last characters of base64, which depend on what stands beside it, at any alignment.
    aligned = [base64.b64encode(b"\0" * shift + text)[4:-4] for shift in range(3)]
    shapes = [text, text.hex().encode(), *aligned]
    paths = [path for place in places for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink()]
    return len(paths), [path for path in paths if _holds(path, shapes)]


def _holds(path: Path, shapes: list[bytes]) -> bool:
    overlap, rest = max(map(len, shapes)), b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                content = rest + chunk
                if any(shape in content for shape in shapes):
                    return True
                rest = content[-overlap:]
    except OSError:  # gone meanwhile, or not ours to read
        return False
    return False
