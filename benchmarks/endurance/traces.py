"""Whether anything of an image has been left behind: in the log, in files, in shared memory."""

import base64
from collections.abc import Iterable
from pathlib import Path

from benchmarks.endurance.load.pictures import Mark

_CHUNK_BYTES = 2**24


def forms_of(mark: Mark) -> list[bytes]:
    """How a mark could show: as it is, in base64 at any alignment, in hexadecimal."""
    text = mark.text
    # Without its first and last characters, which depend on what stands beside it.
    aligned = [base64.b64encode(b"\0" * shift + text)[4:-4] for shift in range(3)]
    return [text, text.hex().encode(), *aligned]


def find_traces(mark: Mark, places: Iterable[Path]) -> tuple[int, list[Path]]:
    """How many files lie below ``places``, and which of them hold the mark."""
    count, found = 0, []
    forms = forms_of(mark)
    for place in places:
        for path in sorted(place.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            count += 1
            if _holds(path, forms):
                found.append(path)
    return count, found


def _holds(path: Path, forms: list[bytes]) -> bool:
    overlap = max(map(len, forms))
    rest = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                content = rest + chunk
                if any(form in content for form in forms):
                    return True
                rest = content[-overlap:]
    except OSError:  # gone meanwhile, or not ours to read
        return False
    return False
