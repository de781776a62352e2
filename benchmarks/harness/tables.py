"""Parts of a report, as Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def verdict_lines(faults: Sequence[str]) -> str:
    """The result of a proof in one line, and the faults below it."""
    if not faults:
        return "**Result: no fault.**"
    return "**Result: faults.**\n\n" + "\n".join(f"* {fault}" for fault in faults)
