"""The scoring of two directories against each other, chunk by chunk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.files import list_images
from semsim.bulk.journal import Journal, stamp
from semsim.bulk.matching import Match, Matching, assign, closest, match_by_index, match_by_name
from semsim.bulk.rows import ScoreRow
from semsim.exceptions import InvalidImage, UnmatchedImages
from semsim.images import DecodeLimits, decode
from semsim.images.decode import DEFAULT_LIMITS
from semsim.scorer import Scorer

CHUNK = 16
"""Pairs that are decoded at once: 32 photographs of 12 megapixels take about a gigabyte."""

Progress = Callable[[str, int, int], None]
"""A function that is called with a step's name, how much of it is done, and its total."""


@dataclass(frozen=True, slots=True)
class Directories:
    """The directory of originals and that of reconstructions."""

    originals: Path
    reconstructions: Path


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its rows, and the images that were not scored."""

    rows: list[ScoreRow]
    matching: Matching
    skipped_originals: tuple[Path, ...] = ()
    skipped_reconstructions: tuple[Path, ...] = ()
    """Both tuples hold images that were not decoded for their name or format, and links that lead nowhere."""


def score_directories(
    scorer: Scorer,
    where: Directories,
    match: Match,
    *,
    journal_path: Path | None = None,
    allow_unmatched: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: Progress = lambda *_: None,
) -> Run:
    """Match two directories and score every pair; where an image cannot be decoded, only its pairs fail.

    With a ``journal_path``, pairs that an interrupted run has scored are not scored again. The caller deletes the
    file once the rows are safe.

    Raises:
        UnmatchedImages: there is nothing to match, or names or counts do not allow this matching. Without
            ``allow_unmatched``, also where a reconstruction is skipped or has no original: a leakage gate would
            never see it.
    """
    originals, reconstructions = list_images(where.originals), list_images(where.reconstructions)
    skipped = reconstructions.skipped
    if skipped and not allow_unmatched:
        raise UnmatchedImages(
            f"expected every reconstruction as a .png, .jpg, .jpeg or .webp file, got {len(skipped)} others, "
            f"such as {skipped[0]}"
        )
    matching, unreadable = _match(scorer, where, match, limits, progress, originals.images, reconstructions.images)
    lone = matching.lone_reconstructions
    if lone and not allow_unmatched:
        raise UnmatchedImages(
            f"expected an original for each reconstruction, got none for {len(lone)}, such as {lone[0]}"
        )
    journal = None
    if journal_path is not None:
        directories = {"originals": where.originals, "reconstructions": where.reconstructions}
        header = {name: str(path.absolute()) for name, path in directories.items()}
        journal = Journal(journal_path, header | {"model": scorer.manifest.graph.sha256})
    rows = list(_score(scorer, where, matching.pairs, limits, journal, progress))
    return Run(rows + unreadable, matching, originals.skipped, skipped)


def _match(
    scorer: Scorer,
    where: Directories,
    match: Match,
    limits: DecodeLimits,
    progress: Progress,
    originals: Sequence[Path],
    reconstructions: Sequence[Path],
) -> tuple[Matching, list[ScoreRow]]:
    """The matching of two directories, and a row for each image that could not be decoded for it.

    Only ``best`` and ``assignment`` decode images: they match by the distance of embeddings.

    Raises:
        UnmatchedImages: names or counts do not allow the matching.
    """
    match match:
        case Match.NAME:
            return match_by_name(originals, reconstructions), []
        case Match.INDEX:
            return match_by_index(originals, reconstructions), []
        case Match.BEST | Match.ASSIGNMENT:
            return _match_by_distance(scorer, where, match, limits, progress, originals, reconstructions)


def _score(
    scorer: Scorer,
    where: Directories,
    pairs: Sequence[tuple[Path, Path]],
    limits: DecodeLimits,
    journal: Journal | None,
    progress: Progress,
) -> Iterator[ScoreRow]:
    """Score ``pairs`` in chunks and yield their rows in order; pairs that ``journal`` holds are not scored again."""
    done = 0
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        rows = _score_chunk(scorer, where, chunk, limits, journal)
        done += len(rows)
        progress("scoring", done, len(pairs))
        yield from rows


def _score_chunk(
    scorer: Scorer,
    where: Directories,
    pairs: Sequence[tuple[Path, Path]],
    limits: DecodeLimits,
    journal: Journal | None,
) -> list[ScoreRow]:
    stamps = {pair: stamp(where.originals / pair[0], where.reconstructions / pair[1]) for pair in pairs}
    known = {pair: journal.done(*pair, stamps[pair]) if journal else None for pair in pairs}
    todo = [pair for pair in pairs if known[pair] is None]
    results = scorer.score_pairs(
        [(where.originals / original, where.reconstructions / reconstruction) for original, reconstruction in todo],
        limits=limits,
    )
    fresh = {pair: ScoreRow.of(*pair, result) for pair, result in zip(todo, results, strict=True)}
    if journal is not None:
        journal.append((stamps[pair], row) for pair, row in fresh.items())
    return [known[pair] or fresh[pair] for pair in pairs]


def _match_by_distance(
    scorer: Scorer,
    where: Directories,
    match: Match,
    limits: DecodeLimits,
    progress: Progress,
    originals: Sequence[Path],
    reconstructions: Sequence[Path],
) -> tuple[Matching, list[ScoreRow]]:
    total = len(originals) + len(reconstructions)

    def counted(name: str, offset: int) -> Progress:
        return lambda _, done, __: progress(name, offset + done, total)

    left = _embed_files(scorer, where.originals, originals, limits, counted("matching", 0))
    right = _embed_files(scorer, where.reconstructions, reconstructions, limits, counted("matching", len(originals)))
    if not left.paths or not right.paths:
        raise UnmatchedImages("expected a readable image on both sides, got none on one of them")
    distances = _distances(left.embeddings, right.embeddings)
    indices = closest(distances) if match is Match.BEST else assign(distances)
    pairs = tuple((left.paths[i], right.paths[j]) for i, j in indices)
    used_left, used_right = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    matching = Matching(
        pairs,
        lone_originals=tuple(path for path in left.paths if path not in used_left),
        # With `best`, a reconstruction that is nobody's closest is no fault.
        lone_reconstructions=tuple(path for path in right.paths if path not in used_right)
        if match is Match.ASSIGNMENT
        else (),
    )
    unreadable = [ScoreRow.unreadable(error, original=path) for path, error in left.failures]
    unreadable += [ScoreRow.unreadable(error, reconstruction=path) for path, error in right.failures]
    return matching, unreadable


@dataclass(frozen=True, slots=True)
class _Embedded:
    embeddings: NDArray[np.float32]
    paths: list[Path]
    failures: list[tuple[Path, InvalidImage]]


def _embed_files(
    scorer: Scorer, directory: Path, paths: Sequence[Path], limits: DecodeLimits, progress: Progress
) -> _Embedded:
    kept: list[Path] = []
    failures: list[tuple[Path, InvalidImage]] = []
    embeddings = [np.empty((0, scorer.manifest.embedding.dimension), dtype=np.float32)]
    for start in range(0, len(paths), 2 * CHUNK):
        images = []
        for path in paths[start : start + 2 * CHUNK]:
            try:
                images.append(decode(directory / path, limits=limits))
            except InvalidImage as error:
                failures.append((path, error))
            else:
                kept.append(path)
        embeddings.append(scorer.embed(images))
        progress("", len(kept) + len(failures), len(paths))
    return _Embedded(np.concatenate(embeddings), kept, failures)


def _distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """All distances ``(len(left), len(right))`` by the Gram matrix: exact enough for ranks, not for reports."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return distances
