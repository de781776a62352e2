"""The matching of two directories by the distance of embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.assignment import Assignment, assign
from semsim.bulk.blocked_distances import EmbeddingDistances, closest
from semsim.bulk.files import Directories
from semsim.bulk.hidden_copies import hidden_copies, note_on_moves
from semsim.bulk.matching import Match, Matching
from semsim.bulk.rows import ScoreRow
from semsim.exceptions import InvalidImage, UnmatchedImages
from semsim.images import DecodeLimits, decode
from semsim.progress import Progress
from semsim.scorer import Scorer
from semsim.uninformative import SmallCopies

CHUNK = 32
"""Images that are decoded at once."""


def match_by_distance(
    scorer: Scorer,
    directories: Directories,
    match: Match,
    limits: DecodeLimits,
    progress: Progress,
    originals: Sequence[Path],
    reconstructions: Sequence[Path],
) -> tuple[Matching, list[ScoreRow]]:
    """Match images, paths relative to their directories, by ``best`` or ``assignment``.

    With ``best`` a reconstruction that shows an original mirrored, turned, inverted or moved is in a pair with it, too.

    Returns the matching, and a row for each image that could not be decoded.

    Raises:
        UnmatchedImages: no original or no reconstruction could be decoded.
    """
    total = len(originals) + len(reconstructions)

    def embed(directory: Path, paths: Sequence[Path], before: int, layouts: bool) -> _EmbeddedFiles:
        return _embed_files(
            scorer, directory, paths, limits, lambda step, done, _: progress(step, before + done, total), layouts
        )

    left = embed(directories.originals, originals, 0, False)
    right = embed(directories.reconstructions, reconstructions, len(originals), match is Match.BEST)
    if not left.paths or not right.paths:
        raise UnmatchedImages("expected a readable image on both sides, got none on one of them")
    sides = left.embeddings, right.embeddings
    assignment = Assignment(closest(*sides), 0.0) if match is Match.BEST else assign(*sides)
    found, note = assignment.pairs, _note(assignment.excess)
    if match is Match.BEST:
        found = [*found, *hidden_copies(EmbeddingDistances(*sides), left.copies, right.copies, found)]
        note = note_on_moves(len(left.paths), len(right.paths))
    pairs = tuple((left.paths[i], right.paths[j]) for i, j in found)
    used_left, used_right = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    matching = Matching(
        pairs,
        lone_originals=tuple(path for path in left.paths if path not in used_left),
        # With `best`, a reconstruction that is nobody's closest is no fault.
        lone_reconstructions=tuple(path for path in right.paths if path not in used_right)
        if match is Match.ASSIGNMENT
        else (),
        note=note,
        is_exact=assignment.excess == 0.0,
        looked_at_all=match is not Match.BEST or not note,
    )
    unreadable = [ScoreRow.unpaired(error, original=path) for path, error in left.failures]
    unreadable += [ScoreRow.unpaired(error, reconstruction=path) for path, error in right.failures]
    return matching, unreadable


@dataclass(frozen=True, slots=True)
class _EmbeddedFiles:
    embeddings: NDArray[np.float32]
    copies: SmallCopies
    paths: list[Path]
    failures: list[tuple[Path, InvalidImage]]


def _embed_files(
    scorer: Scorer, directory: Path, paths: Sequence[Path], limits: DecodeLimits, progress: Progress, layouts: bool
) -> _EmbeddedFiles:
    kept: list[Path] = []
    failures: list[tuple[Path, InvalidImage]] = []
    spec = scorer.manifest.input
    embeddings = [np.empty((0, scorer.manifest.embedding.dimension), dtype=np.float32)]
    copies = [SmallCopies.of([], spec.height, spec.width, spec.filter, layouts=layouts)]
    for start in range(0, len(paths), CHUNK):
        images = []
        for path in paths[start : start + CHUNK]:
            try:
                images.append(decode(directory / path, limits=limits))
            except InvalidImage as error:
                failures.append((path, error))
            else:
                kept.append(path)
        embeddings.append(scorer.embed(images))
        copies.append(SmallCopies.of(images, spec.height, spec.width, spec.filter, layouts=layouts))
        progress("matching", len(kept) + len(failures), len(paths))
    return _EmbeddedFiles(np.concatenate(embeddings), SmallCopies.joined(copies), kept, failures)


def _note(excess: float) -> str:
    """The warning of an assignment whose total distance may be above the least one by that share; empty where not."""
    if excess == 0.0:
        return ""
    return (
        f"expected the pairs of the least total distance, got pairs whose total may be {excess:.2g} of it above that: "
        "an original may stand beside another one's reconstruction, and its leakage may be higher than told; "
        "match fewer images at once, or by --match best"
    )
