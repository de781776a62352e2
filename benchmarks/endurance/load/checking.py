"""Whether an answer is the one that its question must get, and whether another's could pass for it."""

import itertools
from collections.abc import Iterable, Sequence

from benchmarks.endurance.load.questions import Form, Row

DISTANCE_TOLERANCE = 1e-5
"""How far a distance may lie from the offline scorer's: the network adds up in single precision, in an order that
depends on how many images it runs at once, and the service chooses those."""
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
    if abs(got.distance - wanted.distance) > DISTANCE_TOLERANCE:
        return f"expected a distance of {wanted.distance:.6f}, got {got.distance:.6f}"
    for name in ("mse", "psnr", "ssim"):
        ours, theirs = getattr(wanted, name), getattr(got, name)
        if (ours is None) != (theirs is None) or (ours is not None and abs(theirs - ours) > tolerance * _scale(ours)):
            return f"expected {name} of {ours}, got {theirs}"
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
