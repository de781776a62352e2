"""The journal of a long run: the pairs that it has scored, so that it can be interrupted and resumed.

The journal is a JSON-lines file beside the output: a header that names the model and the directories, then one line a
pair. It holds file names and numbers, never an image.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from semsim.bulk.rows import ScoreRow, text

Stamp = tuple[int, ...]
"""Size and times of the original, then those of the reconstruction: a file that changed is scored again."""


def stamp(original: Path, reconstruction: Path) -> Stamp:
    """The stamp of two files; zeros for one that is not there.

    An archive or a copy may give other content the size and the time of modification of the old: the time of the last
    change of the entry tells, too.
    """
    numbers: list[int] = []
    for path in (original, reconstruction):
        try:
            status = path.stat()
        except OSError:
            numbers += (0, 0, 0)
        else:
            numbers += (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return tuple(numbers)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")  # an infinite psnr stays one

    stamp: Stamp
    row: ScoreRow

    def line(self) -> str:
        return self.model_dump_json() + "\n"


class Journal:
    """The rows of one run by their (original, reconstruction), kept in a file."""

    def __init__(self, path: Path, header: dict[str, str]) -> None:
        self._path = path
        self._entries: dict[tuple[str | None, str | None], _Entry] = {}
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
        if lines and _is_header(lines[0], header):  # else another model or other directories
            self._restore(lines[1:])
        # Rewritten, not appended to: an interruption may have cut the last line short.
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(header) + "\n")
            file.writelines(entry.line() for entry in self._entries.values())

    def done(self, original: Path, reconstruction: Path, at: Stamp) -> ScoreRow | None:
        """The row of a pair whose files are those that were scored, or None; a pair that met a fault is not done."""
        known = self._entries.get((text(original.as_posix()), text(reconstruction.as_posix())))
        return known.row if known is not None and known.stamp == at and not known.row.is_fault else None

    def append(self, rows: Iterable[tuple[Stamp, ScoreRow]]) -> None:
        """Add scored pairs and flush them to the file."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(_Entry(stamp=at, row=row).line() for at, row in rows)

    def _restore(self, lines: Iterable[str]) -> None:
        for line in lines:
            try:
                entry = _Entry.model_validate_json(line)
            except ValidationError:
                continue  # a line that an interruption cut short
            self._entries[entry.row.original, entry.row.reconstruction] = entry


def _is_header(line: str, header: dict[str, str]) -> bool:
    try:
        return bool(json.loads(line) == header)
    except ValueError:
        return False
