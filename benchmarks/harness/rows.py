"""The answers that questions must get, pair by pair, and whether an answer is the one that its question must get."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isinf, isnan

import numpy as np

from benchmarks.harness.questions import Form, Question
from semsim.chance import IDENTIFIED
from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.scorer import PairScore, Scorer
from semsim.summary import Summary

DISTANCE_TOLERANCE = 1e-5
"""A distance may lie this far from the offline scorer's: the network adds up in single precision, in an order that
depends on how many images it runs at once, and the service chooses those."""
EXACT_TOLERANCE = 1e-9
"""The share by which mse, psnr and ssim may lie off: they are computed in double precision, a pair at a time."""
SINGLE_TOLERANCE = 1e-6
"""The share by which mse, psnr and ssim may lie off where they travel in single precision, as in the Open Inference
Protocol. It is more than what a number in [0, 1] loses by that."""
CHANCE_TOLERANCE = 0.005
"""A chance may lie this far off: controls that are about as near as the original may count or not."""
_SUM_TOLERANCE = 1e-9
"""A mean may lie this far off, because it depends on the order of adding up."""
_CHUNK_PAIRS = 64


class Unreadable(Exception):
    """An answer that is none, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """The answer to one pair, as every form gives it; for a failed pair only the id and the code."""

    id: str | None
    distance: float = 0.0
    leakage: float | None = None
    recognizable: bool | None = None
    mse: float = 0.0
    psnr: float | None = None
    ssim: float = 0.0
    uninformative: bool = False
    chance: float | None = None
    code: str | None = None
    leakage_tolerance: float = 0.0
    """The leakage may lie this far off, because the distance may lie off; only an expected row has it."""
    undecided: bool = False
    """True for an expected row whose leakage is so near the threshold that it may be called recognizable or not."""


def apart(got: float | None, wanted: float | None) -> float:
    """The distance of two numbers; infinite where only one of them is there, or one is not a number."""
    if got is None or wanted is None:
        return 0.0 if got is wanted else inf
    distance = abs(got - wanted)
    return inf if isnan(distance) else distance


def check_summary(rows: Sequence[Row], summary: Summary) -> None:
    """Hold an answer's totals against its rows. Raises :class:`Unreadable` where they are those of other rows."""
    scored = [row for row in rows if row.code is None]
    leakages = [row.leakage for row in scored if row.leakage is not None]
    chances = [row.chance for row in scored if row.chance is not None]
    holds = (
        (summary.pairs, summary.failed) == (len(rows), len(rows) - len(scored))
        and apart(summary.max_leakage, max(leakages, default=None)) == 0
        and apart(summary.mean_leakage, sum(leakages) / len(leakages) if leakages else None) <= _SUM_TOLERANCE
        # A number where no pair has a leakage would read as safe.
        and summary.recognizable == (sum(row.recognizable is True for row in scored) if leakages else None)
        and summary.uninformative == sum(row.uninformative for row in scored)
        and summary.identified == (sum(chance < IDENTIFIED for chance in chances) if chances else None)
    )
    if not holds:
        raise Unreadable(f"a summary of other pairs than the answer's: {summary}")


def expected_rows(questions: Iterable[Question], scorer: Scorer) -> Iterator[tuple[Question, list[Row]]]:
    """Each question with the rows that it must get, scored offline, a few questions at a time."""
    waiting: list[Question] = []
    for question in questions:
        waiting.append(question)
        if sum(len(one.reconstructions) for one in waiting) >= _CHUNK_PAIRS:
            yield from _score(waiting, scorer)
            waiting = []
    yield from _score(waiting, scorer)


def _score(questions: Sequence[Question], scorer: Scorer) -> Iterator[tuple[Question, list[Row]]]:
    results = iter(scorer.score_pairs([pair for question in questions for pair in question.pairs]))
    for question in questions:
        yield question, [_row(pair_id, next(results), scorer.manifest) for pair_id in question.ids]


def _row(pair_id: str | None, result: PairScore | PairFailure, manifest: Manifest) -> Row:
    if isinstance(result, PairFailure):
        return Row(pair_id, code=result.code.value)
    psnr = None if isinf(result.psnr) else result.psnr
    numbers = (result.distance, result.leakage, result.recognizable, result.mse, psnr, result.ssim)
    row = Row(pair_id, *numbers, uninformative=result.uninformative is not None, chance=result.chance)
    if manifest.calibration is None or manifest.threshold is None or result.leakage is None:
        return row
    around = np.array([result.distance - DISTANCE_TOLERANCE, result.distance + DISTANCE_TOLERANCE])
    high, low = manifest.calibration.leakage(around)
    tolerance = float(max(high - result.leakage, result.leakage - low)) + SINGLE_TOLERANCE
    undecided = abs(result.leakage - manifest.threshold) <= tolerance
    return replace(row, leakage_tolerance=tolerance, undecided=undecided)


def differences(rows: Sequence[Row], expected: Sequence[Row], form: Form) -> list[str]:
    """The faults of an answer; none when it is its question's."""
    if len(rows) != len(expected):
        return [f"expected {len(expected)} results, got {len(rows)}"]
    tolerance = SINGLE_TOLERANCE if form is Form.INFER else EXACT_TOLERANCE
    faults = (_difference(got, wanted, tolerance) for got, wanted in zip(rows, expected, strict=True))
    return [f"pair {index}: {what}" for index, what in enumerate(faults) if what is not None]


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
        ("chance", CHANCE_TOLERANCE),
        *((name, tolerance * max(1.0, abs(getattr(wanted, name) or 0.0))) for name in ("mse", "psnr", "ssim")),
    ):
        ours, theirs = getattr(wanted, name), getattr(got, name)
        if apart(theirs, ours) > allowed:
            return f"expected a {name} of {ours}, got {theirs}"
    if got.uninformative != wanted.uninformative:
        return f"expected uninformative {wanted.uninformative}, got {got.uninformative}"
    if got.recognizable != wanted.recognizable and (got.recognizable is None or not wanted.undecided):
        return f"expected recognizable {wanted.recognizable}, got {got.recognizable}"
    return None


def confusable(rows: Iterable[Row]) -> int:
    """The number of neighbours, by mse, that could each pass for the other: their crossed answers would not be seen."""
    scored = sorted((row for row in rows if row.code is None), key=lambda row: row.mse)
    return sum(
        abs(one.distance - other.distance) <= 2 * DISTANCE_TOLERANCE
        and abs(one.mse - other.mse) <= 2 * SINGLE_TOLERANCE * max(1.0, one.mse)
        and abs(one.ssim - other.ssim) <= 2 * SINGLE_TOLERANCE
        for one, other in itertools.pairwise(scored)
    )
