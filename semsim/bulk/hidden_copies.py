"""Reconstructions that show an original mirrored, turned, inverted or moved while nearer ones stand beside it."""

from collections.abc import Iterable

import numpy as np

from semsim.bulk.blocked_distances import EmbeddingDistances, blocks
from semsim.uninformative import SmallCopies, moves_of


def hidden_copies(
    distances: EmbeddingDistances,
    originals: SmallCopies,
    reconstructions: SmallCopies,
    pairs: Iterable[tuple[int, int]],
) -> list[tuple[int, int]]:
    """A further pair for each reconstruction that shows originals altered, and stands beside none of them in ``pairs``.

    The model finds little likeness in such copies, so that an unrelated reconstruction may be closer to an original.
    """
    paired, all_originals = set(pairs), np.arange(len(originals))
    moves, hidden = moves_of(len(reconstructions)), []
    for some in blocks(np.arange(len(reconstructions)), len(originals)):
        altered = originals.altered(reconstructions.take(some), distances.block(all_originals, some), moves)
        for at in np.flatnonzero(altered.any(axis=0)):
            shown = [(int(i), int(some[at])) for i in np.flatnonzero(altered[:, at])]
            if paired.isdisjoint(shown):
                hidden.append(shown[0])
    return hidden


def note_on_moves(originals: int, reconstructions: int) -> str:
    """The warning that only some pairs are looked at for being moved; empty where all are."""
    moves = moves_of(reconstructions)
    if moves >= originals:
        return ""
    return (
        f"each reconstruction was looked at for being moved beside its {moves} closest originals alone, of "
        f"{originals}, so that no gate passes: match fewer images at once"
    )
