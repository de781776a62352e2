"""The rows of a table of judgements, and the reasons why a row is no judged item."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgementRow:
    """One row; ``None`` for a blank cell."""

    number: int
    setting: str | None
    original: str | None
    label: str | None
    judgements: tuple[str | None, ...]

    @property
    def item(self) -> str:
        """The name of the item."""
        return f"{self.setting}/{self.original}"


def wrong_rows(rows: Sequence[JudgementRow]) -> dict[int, str]:
    """The reason for each row that is no judged item, by its number."""
    counts = Counter(row.item for row in rows)
    labels = {row.label for row in rows if row.label is not None}
    # A class that nobody would look for stays another text: it is written in other letters than every class.
    lower = {label.lower(): label for label in labels}
    reasons = {}
    for row in rows:
        absent = [name for name in ("setting", "original", "label") if getattr(row, name) is None]
        other = next((one for one in row.judgements if one and one not in labels and one.lower() in lower), None)
        if absent:
            reasons[row.number] = f"expected the item's {absent[0]}, got none"
        elif counts[row.item] > 1:
            reasons[row.number] = f"expected each item once, got {row.item} {counts[row.item]} times"
        elif not any(row.judgements):
            reasons[row.number] = f"expected a judgement of {row.item}, got none"
        elif other:
            reasons[row.number] = f"expected {lower[other.lower()]} or another answer for {row.item}, got {other}"
    return reasons
