"""The pairs of two directories, scored chunk by chunk on any engine, with a journal of what is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semsim.bulk.engine import Engine
from semsim.bulk.files import Directories
from semsim.bulk.journal import Journal, Stamp, stamp
from semsim.bulk.rows import ScoreRow
from semsim.bulk.workers.jobs import run_jobs
from semsim.images import DecodeLimits
from semsim.pairs import PairFailure
from semsim.progress import Progress
from semsim.scorer import PairScore, Scorer

if TYPE_CHECKING:
    from semsim.client import RemoteScorer

CHUNK = 16
"""Pairs that are decoded at once: 32 photographs of 12 megapixels take about a gigabyte."""

_PathPair = tuple[Path, Path]


@dataclass(frozen=True, slots=True)
class DirectoryChunk:
    """Some pairs of two directories, which each worker reads for itself."""

    directories: Directories
    stamps: dict[_PathPair, Stamp]
    """The pairs with the stamps of their files before they are read."""
    limits: DecodeLimits

    def __call__(self, scorer: "Scorer | RemoteScorer") -> list[PairScore | PairFailure]:
        """Score the pairs in order; one that cannot be decoded fails alone."""
        return scorer.score_pairs([self.directories.files(pair) for pair in self.stamps], limits=self.limits)


def score_chunks(
    scorer: "Scorer | RemoteScorer",
    directories: Directories,
    pairs: Sequence[_PathPair],
    limits: DecodeLimits,
    journal: Journal | None,
    engine: Engine,
    workers: int | None,
    progress: Progress,
) -> list[ScoreRow]:
    """The rows of ``pairs`` in their order; pairs that ``journal`` holds are not scored again.

    Raises:
        SemSimError: as :func:`semsim.bulk.workers.jobs.run_jobs` does; what was scored before is in the journal.
    """
    size = CHUNK if isinstance(scorer, Scorer) else scorer.pairs_at_once
    rows: dict[_PathPair, ScoreRow] = {}

    def chunks() -> Iterator[DirectoryChunk]:
        for start in range(0, len(pairs), size):
            stamps = {pair: stamp(*directories.files(pair)) for pair in pairs[start : start + size]}
            known = {pair: journal.done(*pair, at) if journal else None for pair, at in stamps.items()}
            rows.update({pair: row for pair, row in known.items() if row is not None})
            if todo := {pair: at for pair, at in stamps.items() if known[pair] is None}:
                yield DirectoryChunk(directories, todo, limits)

    for chunk, results in run_jobs(engine, scorer, chunks(), workers):
        fresh = {pair: ScoreRow.of(*pair, result) for pair, result in zip(chunk.stamps, results, strict=True)}
        if journal is not None:
            journal.append((chunk.stamps[pair], row) for pair, row in fresh.items())
        rows |= fresh
        progress("scoring", len(rows), len(pairs))
    return [rows[pair] for pair in pairs]
