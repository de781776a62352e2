"""Tables that runs write into pages of the documentation."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from semsim.exceptions import InvalidOption


def around_marks(page: Path, mark: str) -> tuple[str, str]:
    """The text of a page before its first ``<!-- mark -->`` and behind its second.

    Raises:
        InvalidOption: there is no such page, or it does not hold the mark twice.
    """
    marker = f"<!-- {mark} -->"
    try:
        parts = page.read_text().split(marker)
    except OSError as error:
        raise InvalidOption(f"expected a page at {page}: {error.strerror}") from error
    if len(parts) != 3:
        raise InvalidOption(f"expected two {marker} marks in {page}, got {len(parts) - 1}")
    return parts[0], parts[2]


def write_between(page: Path, mark: str, text: str) -> None:
    """Replace the text between two ``<!-- mark -->`` of a page, with the errors of :func:`around_marks`."""
    before, behind = around_marks(page, mark)
    marker = f"<!-- {mark} -->"
    page.write_text(f"{before}{marker}\n{text.strip()}\n{marker}{behind}")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def records_table(rows: Sequence[Mapping[str, object]]) -> str:
    """A Markdown table of rows that name their columns; the first one names all, in order."""
    return table(list(rows[0]), ([row.get(column, "") for column in rows[0]] for row in rows))
