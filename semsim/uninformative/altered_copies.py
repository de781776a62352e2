"""Altered copies of originals among many reconstructions: which of them shows which original reordered or moved?

Where an original may have any of several reconstructions, the one that is nearest to it need not be the one that shows
it: the model finds little likeness in a copy that is mirrored, turned, inverted or moved, and an unrelated picture may
be nearer. So all of them are looked at. Of many pairs some are alike by chance, so that the likeness must be clearer
than that of a pair that is told to be one. ``semsim_training.altered_report`` measures what is found, and by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.images import ResizeFilter, RGBImage, resize_batch
from semsim.uninformative.moved_reconstructions import resemble_moved
from semsim.uninformative.reordered_reconstructions import (
    layout_thumbnails,
    resemble_any_in_another_order,
    thumbnails,
)

MOST_MOVED = 1 << 20
"""The pairs at most that are looked at for being moved, which takes less than half a minute."""
_AT_ONCE = 16
"""Pairs that are looked at together for being moved: the arrays of more leave the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class SmallCopies:
    """The small copies of N images by which altered copies are found."""

    as_they_are: NDArray[np.float32]
    """Copies ``(N, 16 * 3 * 16)``."""
    in_layouts: NDArray[np.float32]
    """Copies ``(N, 6, 16 * 3 * 16)`` of the values as they are in each other layout; ``(N, 0, ...)`` without them."""

    @classmethod
    def of(
        cls, images: Sequence[RGBImage], height: int, width: int, filter: ResizeFilter, *, layouts: bool = True
    ) -> Self:
        """The small copies of images of any sizes, by way of the size at which a model sees them.

        Originals need none in other ``layouts``.
        """
        as_they_are = thumbnails(resize_batch(images, height, width, filter))
        return cls(as_they_are, layout_thumbnails(images) if layouts else as_they_are[:, None][:, :0])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The small copies of several lists of images, one after the other."""
        return cls(
            *(np.concatenate(of) for of in zip(*((one.as_they_are, one.in_layouts) for one in parts), strict=True))
        )

    def __len__(self) -> int:
        return len(self.as_they_are)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The small copies of some of the images, ``(M,)``."""
        return type(self)(self.as_they_are[rows], self.in_layouts[rows])

    def altered(self, reconstructions: Self, distances: NDArray[np.float64], moves: int) -> NDArray[np.bool_]:
        """True, ``(N, M)``, where one of M reconstructions shows one of these N originals reordered or moved.

        For being moved each reconstruction is compared with its ``moves`` closest originals by the ``distances``
        ``(N, M)``; :func:`moves_of` says how many there is time for.
        """
        found = resemble_any_in_another_order(self.as_they_are, reconstructions.as_they_are, reconstructions.in_layouts)
        closest = np.argpartition(distances, min(moves, len(self)) - 1, axis=0)[:moves]
        rows, columns = closest.ravel(), np.tile(np.arange(len(reconstructions)), len(closest))
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE], columns[start : start + _AT_ONCE]
            found[some] |= resemble_moved(
                self.as_they_are[some[0]], reconstructions.as_they_are[some[1]], among_many=True
            )
        return found


def moves_of(reconstructions: int) -> int:
    """The originals that each of so many reconstructions is compared with for being moved."""
    return max(1, MOST_MOVED // max(1, reconstructions))
