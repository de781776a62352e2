"""The check of pairs, some pairs at a time."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from semsim.images import ResizeFilter, RGBImage, resize_batch
from semsim.uninformative.blank_reconstructions import Tones, has_few_levels
from semsim.uninformative.empty_originals import SIDE, show_nothing
from semsim.uninformative.moved_reconstructions import resemble_moved
from semsim.uninformative.reordered_reconstructions import (
    best_in_another_layout,
    resemble_in_another_order,
    thumbnails,
)


class Uninformative(StrEnum):
    """The reason why nothing can be told of a pair."""

    ORIGINAL = "original"
    BLANK = "blank"
    REORDERED = "reordered"
    MOVED = "moved"

    @property
    def reason(self) -> str:
        """The reason in words."""
        return _REASONS[self]

    def holds(self, recognizable: bool | None) -> bool:
        """True where nothing can be told: a dim or a mirrored picture in which the original is recognised leaks."""
        return self is Uninformative.ORIGINAL or not recognizable


_REASONS = {
    Uninformative.ORIGINAL: "the original shows nothing that could be recognised",
    Uninformative.BLANK: (
        "the reconstruction is blank or dim beside its original: a failed attack, or values not scaled to 0..255"
    ),
    Uninformative.REORDERED: (
        "the reconstruction resembles its original mirrored, turned, shifted, inverted, in one channel alone, or with "
        "its channels or axes in another order: undo that, and score it again"
    ),
    Uninformative.MOVED: (
        "the reconstruction resembles its original moved: compare it with what the client trained on, if the client "
        "moves or crops its images"
    ),
}

_AT_ONCE = 16
"""Pairs that are looked at together: the arrays of more leave the cache. Their matrices stay a stack, since OpenBLAS
puts threads to large products, which wait for each other far longer than these take."""


def uninformative_pairs(
    originals: Sequence[RGBImage],
    reconstructions: Sequence[RGBImage],
    rows: NDArray[np.intp],
    images: NDArray[np.uint8],
    filter: ResizeFilter,
) -> list[Uninformative | None]:
    """For each of N pairs the reason why nothing can be told of it, if there is one that the network need not run for.

    ``images[rows]`` are the originals and reconstructions, in turn, resized to one size ``(H, W, 3)`` with ``filter``.
    A reason that lies with the reconstruction does not hold where the model recognises it all the same.
    """
    at_hand = images.shape[1:3] == (SIDE, SIDE) and filter is ResizeFilter.BICUBIC
    empty: dict[int, bool] = {}
    reasons: list[Uninformative | None] = []
    for start in range(0, len(originals), _AT_ONCE):
        some, pairs = slice(start, start + _AT_ONCE), rows[2 * start : 2 * (start + _AT_ONCE)]
        first = pairs[0::2].tolist()
        new = {row: image for row, image in zip(first, originals[some], strict=True) if row not in empty}
        if new:
            pictures = images[list(new)] if at_hand else resize_batch(list(new.values()), SIDE, SIDE)
            nothing = show_nothing(pictures, [min(image.shape[:2]) for image in new.values()])
            empty.update(zip(new, nothing.tolist(), strict=True))
        reasons += _reasons(originals[some], reconstructions[some], [empty[row] for row in first], pairs, images[pairs])
    return reasons


def _reasons(
    originals: Sequence[RGBImage],
    reconstructions: Sequence[RGBImage],
    empty: list[bool],
    rows: NDArray[np.intp],
    pictures: NDArray[np.uint8],
) -> list[Uninformative | None]:
    """The reasons of a few pairs.

    ``empty`` tells of each original whether it shows nothing, ``rows``, ``(2 N,)``, which images are equal, and
    ``pictures``, ``(2 N, H, W, 3)``, are these at one size.
    """
    tones = Tones.of(pictures)
    lost = tones[1::2].are_lost_beside(tones[0::2]).tolist()
    reasons: list[Uninformative | None] = [
        Uninformative.ORIGINAL if nothing else Uninformative.BLANK if dim or has_few_levels(made, original) else None
        for nothing, dim, original, made in zip(empty, lost, originals, reconstructions, strict=True)
    ]
    left = [i for i, why in enumerate(reasons) if why is None and rows[2 * i] != rows[2 * i + 1]]
    if left:
        small = thumbnails(pictures).reshape(len(originals), 2, -1)[left]
        in_another_layout = best_in_another_layout(small[:, 0], [reconstructions[i] for i in left])
        for i in np.flatnonzero(resemble_in_another_order(small[:, 0], small[:, 1], in_another_layout)):
            reasons[left[i]] = Uninformative.REORDERED
    return reasons


def settled(
    reasons: Sequence[Uninformative | None],
    recognizable: Sequence[bool | None],
    images: NDArray[np.uint8],
    originals: NDArray[np.intp],
    reconstructions: NDArray[np.intp],
) -> list[Uninformative | None]:
    """The reasons of N pairs once it is known which of them the model recognises.

    ``images[originals]`` and ``images[reconstructions]`` are the pairs, resized to one size ``(H, W, 3)``. Only those
    that are not recognizable, and that have no other reason, are looked at for being moved.
    """
    settled = [why if why and why.holds(seen) else None for why, seen in zip(reasons, recognizable, strict=True)]
    doubtful = [i for i, why in enumerate(settled) if why is None and not recognizable[i]]
    for start in range(0, len(doubtful), _AT_ONCE):
        chunk = doubtful[start : start + _AT_ONCE]
        small = thumbnails(images[np.concatenate([originals[chunk], reconstructions[chunk]])])
        for i in np.flatnonzero(resemble_moved(*small.reshape(2, len(chunk), -1))):
            settled[chunk[i]] = Uninformative.MOVED
    return settled
