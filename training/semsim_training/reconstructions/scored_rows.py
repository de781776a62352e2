"""Reconstructions of a set with their scores against their originals."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semsim.bulk.engine import Engine
from semsim.bulk.workers.jobs import run_jobs
from semsim.exceptions import ErrorCode, SemSimError
from semsim.images import RGBImage
from semsim.pairs import PairFailure
from semsim.progress import Progress, silent
from semsim.scorer import PairScore, Scorer
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import STATUSES, ReconstructionRow

if TYPE_CHECKING:
    from semsim_training.reference_metrics.lpips import Lpips  # brings torch

_CHUNK = 256
"""Pairs that are held at once."""
DIVERGED = PairFailure(ErrorCode.ATTACK_DIVERGED, "expected a reconstruction, got none: the attack diverged")
"""The outcome of a row that has no reconstruction. It says nothing about the client's safety."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One reconstruction, and its scores or the reason why it has none."""

    row: ReconstructionRow
    outcome: PairScore | PairFailure
    lpips: float | None = None
    """LPIPS where its weights were given; lower is closer."""

    @property
    def score(self) -> PairScore | None:
        """The scores; ``None`` where there are none."""
        return self.outcome if isinstance(self.outcome, PairScore) else None

    @property
    def failure(self) -> PairFailure | None:
        """The reason why a reconstruction that is there was not scored; ``None`` for others."""
        return self.outcome if isinstance(self.outcome, PairFailure) and self.row.done else None


@dataclass(frozen=True, slots=True, eq=False)
class SetChunk:
    """Some pairs of a set by the places of their rows, or the reasons why they cannot be read."""

    pairs: dict[int, tuple[RGBImage, RGBImage] | PairFailure]

    @property
    def read(self) -> dict[int, tuple[RGBImage, RGBImage]]:
        """The pairs that are there."""
        return {place: pair for place, pair in self.pairs.items() if not isinstance(pair, PairFailure)}

    def __call__(self, scorer: Scorer) -> list[PairScore]:
        """Score the pairs that are there, in order."""
        pairs = self.read.values()
        return scorer.score_images([original for original, _ in pairs], [other for _, other in pairs])


def score_rows(
    made: ReconstructionSet,
    rows: Sequence[ReconstructionRow],
    scorer: Scorer,
    lpips: "Lpips | None" = None,
    progress: Progress = silent,
    *,
    engine: Engine = Engine.HERE,
    workers: int | None = None,
) -> list[ScoredRow]:
    """Score some rows of a set, in their order. A row that cannot be scored fails alone: it never gets a low leakage.

    This process reads the set; ``engine`` and ``workers`` are those of :func:`semsim.bulk.workers.jobs.run_jobs`.

    Raises:
        ImageTooSmall: LPIPS is asked for, and the images are too small for it.
        WorkerLost: workers died.
    """
    scored: dict[int, ScoredRow] = {}
    # Rows of one original stand together, so that it is embedded once.
    order = sorted(range(len(rows)), key=lambda index: rows[index].original_sha256)

    def chunks() -> Iterator[SetChunk]:
        for start in range(0, len(order), _CHUNK):
            yield SetChunk({index: _pair(made, rows[index]) for index in order[start : start + _CHUNK]})

    for chunk, scores in run_jobs(engine, scorer, chunks(), workers):
        outcomes: dict[int, PairScore | PairFailure] = dict(zip(chunk.read, scores, strict=True))
        outcomes |= {index: pair for index, pair in chunk.pairs.items() if isinstance(pair, PairFailure)}
        distances = {} if lpips is None else _distances(lpips, chunk.read)
        scored |= {index: ScoredRow(rows[index], outcomes[index], distances.get(index)) for index in chunk.pairs}
        progress("scoring", len(scored), len(order))
    return [scored[index] for index in range(len(rows))]


def by_setting(scored: Iterable[ScoredRow]) -> dict[str, list[ScoredRow]]:
    """The rows of each setting, both in their order."""
    settings: dict[str, list[ScoredRow]] = {}
    for one in scored:
        settings.setdefault(one.row.setting, []).append(one)
    return settings


def statuses(scored: Iterable[ScoredRow]) -> str:
    """The number of rows of each status, in words: ``12 matched, 3 diverged``."""
    counts = Counter(one.row.status for one in scored)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])


def _pair(made: ReconstructionSet, row: ReconstructionRow) -> tuple[RGBImage, RGBImage] | PairFailure:
    if not row.done:
        return DIVERGED
    try:
        return made.original(row), made.reconstruction(row)
    except SemSimError as error:
        return PairFailure(error.code, str(error))


def _distances(lpips: "Lpips", pairs: dict[int, tuple[RGBImage, RGBImage]]) -> dict[int, float]:
    """LPIPS of pairs, those of one size together."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, (original, _) in pairs.items():
        by_shape.setdefault(original.shape, []).append(index)
    distances: dict[int, float] = {}
    for indices in by_shape.values():
        originals, reconstructions = (np.stack([pairs[index][side] for index in indices]) for side in (0, 1))
        distances |= dict(zip(indices, lpips.distances(originals, reconstructions).tolist(), strict=True))
    return distances
