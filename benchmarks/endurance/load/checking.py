"""Whether an answer is the one that its question must get, and whether another's could pass for it."""

import itertools
from collections.abc import Iterable, Sequence

from benchmarks.endurance.load.answers import apart
from benchmarks.endurance.load.questions import DISTANCE_TOLERANCE, Form, Row

EXACT_TOLERANCE = 1e-9
"""How far mse, psnr and ssim may lie off, as a share: they are computed in double precision, a pair at a time."""
SINGLE_TOLERANCE = 1e-6
"""The same where they travel in single precision, as in the Open Inference Protocol."""


def differences(rows: Sequence[Row], expected: Sequence[Row], form: Form) -> list[str]:
    """What is wrong with an answer; nothing when it is its question's."""
    if len(rows) != len(expected):
        return [f"expected {len(expected)} results, got {len(rows)}"]
    tolerance = SINGLE_TOLERANCE if form is Form.INFER else EXACT_TOLERANCE
    found = (_difference(got, wanted, tolerance) for got, wanted in zip(rows, expected, strict=True))
    return [f"pair {index}: {what}" for index, what in enumerate(found) if what is not None]


def _difference(got: Row, wanted: Row, tolerance: float) -> str | None:
    if got.id != wanted.id:
        return f"expected the id {wanted.id}, got {got.id}"
    if got.code != wanted.code:
        return f"expected {wanted.code or 'a score'}, got {got.code or 'a score'}"
    if wanted.code is not None:
        return None
    for name, allowed in (
        ("distance", DISTANCE_TOLERANCE),
        ("leakage", wanted.leakage_tolerance),
        *((name, tolerance * _scale(getattr(wanted, name) or 0.0)) for name in ("mse", "psnr", "ssim")),
    ):
        ours, theirs = getattr(wanted, name), getattr(got, name)
        if apart(theirs, ours) > allowed:
            return f"expected a {name} of {ours}, got {theirs}"
    if got.recognizable != wanted.recognizable and (got.recognizable is None or not wanted.undecided):
        return f"expected recognizable {wanted.recognizable}, got {got.recognizable}"
    return None


def confusable(rows: Iterable[Row]) -> int:
    """How many neighbours, by mse, each could pass for the other: crossed answers of those would not be seen."""
    scored = sorted((row for row in rows if row.code is None), key=lambda row: row.mse)
    return sum(_alike(one, other) for one, other in itertools.pairwise(scored))


def _alike(one: Row, other: Row) -> bool:
    return (
        abs(one.distance - other.distance) <= 2 * DISTANCE_TOLERANCE
        and abs(one.mse - other.mse) <= 2 * SINGLE_TOLERANCE * _scale(one.mse)
        and abs(one.ssim - other.ssim) <= 2 * SINGLE_TOLERANCE
    )


def _scale(number: float) -> float:
    return max(1.0, abs(number))
