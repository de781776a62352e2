"""The check of pairs, image by image and pair by pair."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from semsim.images import ResizeFilter, RGBImage
from semsim.images.resize import resize
from semsim.uninformative.blank_reconstructions import has_few_levels, tone
from semsim.uninformative.empty_originals import SIDE, shows_nothing
from semsim.uninformative.moved_reconstructions import resemble_moved
from semsim.uninformative.reordered_reconstructions import (
    resembles_in_another_order,
    reshaped_thumbnails,
    thumbnail,
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
        "its channels in another order: undo that, and score it again"
    ),
    Uninformative.MOVED: (
        "the reconstruction resembles its original moved: compare it with what the client trained on, if the client "
        "moves or crops its images"
    ),
}

_AT_ONCE = 256
"""Pairs that are looked at together for being moved."""


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
    tones, thumbnails = [tone(image) for image in images], [thumbnail(image) for image in images]
    empty: dict[int, bool] = {}
    reasons: list[Uninformative | None] = []
    for first, second, original, reconstruction in zip(
        rows[0::2].tolist(), rows[1::2].tolist(), originals, reconstructions, strict=True
    ):
        if first not in empty:
            picture = images[first] if at_hand else resize(original, SIDE, SIDE)
            empty[first] = shows_nothing(picture, min(original.shape[:2]))
        if empty[first]:
            reasons.append(Uninformative.ORIGINAL)
        elif tones[second].is_lost_beside(tones[first]) or has_few_levels(reconstruction, original):
            reasons.append(Uninformative.BLANK)
        elif first != second and resembles_in_another_order(
            thumbnails[first], thumbnails[second], reshaped_thumbnails(reconstruction)
        ):
            reasons.append(Uninformative.REORDERED)
        else:
            reasons.append(None)
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
        moved = resemble_moved(
            *(np.stack([thumbnail(images[i]) for i in of[chunk]]) for of in (originals, reconstructions))
        )
        for i in np.flatnonzero(moved):
            settled[chunk[i]] = Uninformative.MOVED
    return settled
