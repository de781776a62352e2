"""What a long run has scored so far, so that it can be interrupted and resumed.

A JSON-lines file beside the output: a header that names the model and the directories, then one line a
pair. It holds file names and numbers, never an image.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from semsim.bulk.rows import ScoreRow

Stamp = tuple[int, int, int, int]
"""Size and modification time of both files: a file that changed is scored again."""


def stamp(original: Path, reconstruction: Path) -> Stamp:
    """The stamp of two files; zeros for one that is not there."""
    sizes: list[int] = []
    for path in (original, reconstruction):
        try:
            status = path.stat()
        except OSError:
            sizes += (0, 0)
        else:
            sizes += (status.st_size, status.st_mtime_ns)
    return (sizes[0], sizes[1], sizes[2], sizes[3])


class Journal:
    """The rows of one run, by (original, reconstruction), surviving an interruption."""

    def __init__(self, path: Path, header: dict[str, str]) -> None:
        self.path = path
        self._rows: dict[tuple[str, str], tuple[Stamp, ScoreRow]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and _parse(lines[0]) == header:
            self._restore(lines[1:])
        else:  # none yet, or another model's or directory's: start again
            lines = []
        # Rewritten, not appended to: an interruption may have cut the last line short.
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(header) + "\n")
            file.writelines(_line(at, row) for at, row in self._rows.values())

    def done(self, original: Path, reconstruction: Path, at: Stamp) -> ScoreRow | None:
        """The row of a pair that was scored from these very files, or None."""
        known = self._rows.get((original.as_posix(), reconstruction.as_posix()))
        return known[1] if known is not None and known[0] == at else None

    def append(self, rows: Iterable[tuple[Stamp, ScoreRow]]) -> None:
        """Add scored pairs and flush them to the file."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(_line(at, row) for at, row in rows)

    def remove(self) -> None:
        """The run is complete: delete the file."""
        self.path.unlink(missing_ok=True)

    def _restore(self, lines: Iterable[str]) -> None:
        for line in lines:
            entry = _parse(line)
            if entry is None:
                continue
            first, second, third, fourth = entry["stamp"]
            row = ScoreRow(**entry["row"])
            self._rows[row.original, row.reconstruction] = ((first, second, third, fourth), row)


def _line(at: Stamp, row: ScoreRow) -> str:
    return json.dumps({"stamp": at, "row": asdict(row)}) + "\n"


def _parse(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
