"""The scoring of two directories against each other, chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from semsim.bulk.distance_matching import match_by_distance
from semsim.bulk.files import Directories, list_images
from semsim.bulk.journal import Journal, stamp
from semsim.bulk.matching import Match, Matching, match_by_index, match_by_name
from semsim.bulk.rows import ScoreRow
from semsim.exceptions import UnmatchedImages
from semsim.images import DecodeLimits
from semsim.images.decode import DEFAULT_LIMITS
from semsim.progress import Progress, silent
from semsim.scorer import Scorer

CHUNK = 16
"""Pairs that are decoded at once: 32 photographs of 12 megapixels take about a gigabyte."""


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
    directories: Directories,
    match: Match,
    *,
    journal_path: Path | None = None,
    allow_unmatched: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: Progress = silent,
) -> Run:
    """Match two directories and score every pair; where an image cannot be decoded, only its pairs fail.

    With a ``journal_path``, pairs that an interrupted run has scored are not scored again. The caller deletes the
    file once the rows are safe.

    Raises:
        UnmatchedImages: there is nothing to match, or names or counts do not allow this matching. Without
            ``allow_unmatched``, also where a reconstruction is skipped or has no original: a leakage gate would
            never see it.
    """
    originals, reconstructions = list_images(directories.originals), list_images(directories.reconstructions)
    skipped = reconstructions.skipped
    if skipped and not allow_unmatched:
        raise UnmatchedImages(
            f"expected every reconstruction as a .png, .jpg, .jpeg or .webp file, got {len(skipped)} others, "
            f"such as {skipped[0]}"
        )
    matching, unreadable = _match(
        scorer, directories, match, limits, progress, originals.images, reconstructions.images
    )
    lone = matching.lone_reconstructions
    if lone and not allow_unmatched:
        raise UnmatchedImages(
            f"expected an original for each reconstruction, got none for {len(lone)}, such as {lone[0]}"
        )
    journal = None
    if journal_path is not None:
        header = {name: str(path.absolute()) for name, path in asdict(directories).items()}
        journal = Journal(journal_path, header | {"model": scorer.manifest.graph.sha256})
    rows = list(_score(scorer, directories, matching.pairs, limits, journal, progress))
    return Run(rows + unreadable, matching, originals.skipped, skipped)


def _match(
    scorer: Scorer,
    directories: Directories,
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
            return match_by_distance(scorer, directories, match, limits, progress, originals, reconstructions)


def _score(
    scorer: Scorer,
    directories: Directories,
    pairs: Sequence[tuple[Path, Path]],
    limits: DecodeLimits,
    journal: Journal | None,
    progress: Progress,
) -> Iterator[ScoreRow]:
    """Score ``pairs`` in chunks and yield their rows in order; pairs that ``journal`` holds are not scored again."""
    done = 0
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        rows = _score_chunk(scorer, directories, chunk, limits, journal)
        done += len(rows)
        progress("scoring", done, len(pairs))
        yield from rows


def _score_chunk(
    scorer: Scorer,
    directories: Directories,
    pairs: Sequence[tuple[Path, Path]],
    limits: DecodeLimits,
    journal: Journal | None,
) -> list[ScoreRow]:
    stamps = {pair: stamp(*directories.files(pair)) for pair in pairs}
    known = {pair: journal.done(*pair, stamps[pair]) if journal else None for pair in pairs}
    todo = [pair for pair in pairs if known[pair] is None]
    results = scorer.score_pairs([directories.files(pair) for pair in todo], limits=limits)
    fresh = {pair: ScoreRow.of(*pair, result) for pair, result in zip(todo, results, strict=True)}
    if journal is not None:
        journal.append((stamps[pair], row) for pair, row in fresh.items())
    return [known[pair] or fresh[pair] for pair in pairs]
