"""What an answer must be to be read as one: whole, of numbers, and with totals that are those of its rows."""

from collections.abc import Sequence
from math import inf, isnan
from typing import Any

from benchmarks.endurance.load.questions import Row
from semsim.summary import Summary

_SUM_TOLERANCE = 1e-9
"""How far a mean may lie off, which depends on the order of adding up."""


class Unreadable(Exception):
    """What came is no answer, or one that contradicts itself."""


def apart(got: float | None, wanted: float | None) -> float:
    """How far two numbers lie apart; infinite where only one of them is there, or one is not a number."""
    if got is None or wanted is None:
        return 0.0 if got is wanted else inf
    distance = abs(got - wanted)
    return inf if isnan(distance) else distance


def number(value: Any) -> float:
    """A number from a JSON document.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    return float(value)


def check_summary(rows: Sequence[Row], summary: Summary) -> None:
    """Hold an answer's totals against its rows.

    Raises:
        Unreadable: they are of other rows.
    """
    scored = [row for row in rows if row.code is None]
    leakages = [row.leakage for row in scored if row.leakage is not None]
    holds = (
        (summary.pairs, summary.failed) == (len(rows), len(rows) - len(scored))
        and apart(summary.max_leakage, max(leakages, default=None)) == 0
        and apart(summary.mean_leakage, sum(leakages) / len(leakages) if leakages else None) <= _SUM_TOLERANCE
        # Where no pair was scored, the answer does not show whether the model is calibrated.
        and (summary.recognizable or 0) == sum(row.recognizable is True for row in scored)
        and (not scored or (summary.recognizable is None) == (not leakages))
    )
    if not holds:
        raise Unreadable(f"a summary of other pairs than the answer's: {summary}")
