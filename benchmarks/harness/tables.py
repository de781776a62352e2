"""Parts of a report, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 30


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def records_table(rows: Sequence[Mapping[str, object]]) -> str:
    """A Markdown table of rows that name their columns; the first one names all, in order."""
    return table(list(rows[0]), ([row.get(column, "") for column in rows[0]] for row in rows))


def verdict_lines(faults: Sequence[str]) -> str:
    """The result of a proof in one line, and below it the first faults, and how many more there are."""
    if not faults:
        return "**Result: no fault.**"
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return "**Result: faults.**\n\n" + "\n".join(f"* {fault}" for fault in (*faults[:_SHOWN], *more))
