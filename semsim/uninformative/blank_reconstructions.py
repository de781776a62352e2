"""Reconstructions that are blank or dim beside their originals.

A reconstruction is blank where it has hardly any contrast beside its original, or hardly any levels, and dim where it
has far less of both brightness and contrast. An attack that found nothing makes such pictures, and so do mistakes on
the way to a file: values of 0..1 or of -1..1 that were not scaled to 0..255. The model finds no likeness there,
although somebody who sees the attack's values may. docs/user.md has the rates.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from semsim.images import RGBImage

_BLANK, _DIM = 0.15, 0.55
"""A blank reconstruction's contrast is below the first share of its original's, a dim one's contrast and brightness
below the second."""
_FEW, _MANY = 8, 32
"""A blank reconstruction has at most the first number of levels, its original more than the second."""
_SAMPLED = 4096
"""The values of a picture whose levels are counted."""


@dataclass(frozen=True, slots=True)
class Tone:
    """The brightness and the contrast of a picture, in levels of 0..255."""

    brightness: float
    contrast: float
    """The mean absolute deviation from the mean, of the channel where it is largest. A few bright pixels in a black
    picture add little to it, other than to the standard deviation."""

    def is_lost_beside(self, original: Self) -> bool:
        """True for a reconstruction that is blank, or dim."""
        contrast = self.contrast / max(original.contrast, 1e-6)
        return contrast < _BLANK or max(contrast, self.brightness / max(original.brightness, 1e-6)) < _DIM


def tone(picture: RGBImage) -> Tone:
    """The tone of a picture of any size."""
    pixels = picture[::2, ::2].reshape(-1, 3).astype(np.float32)  # a quarter tells as much
    share = np.full(len(pixels), 1 / len(pixels), dtype=np.float32)
    means = share @ pixels  # products: numpy's means cost twenty times as much
    return Tone(float(means.mean()), float((share @ np.abs(pixels - means)).max()))


def has_few_levels(reconstruction: RGBImage, original: RGBImage) -> bool:
    """True where a reconstruction has hardly any of the 256 levels, and its original many; both of any size."""
    return _levels(reconstruction) <= _FEW and _levels(original) > _MANY


def _levels(image: RGBImage) -> int:
    """The number of distinct values among some thousands, evenly spread over the image."""
    step = max(1, image.size // _SAMPLED)
    step += step % 3 == 0  # a multiple of 3 would look at the red channel alone
    return int(np.count_nonzero(np.bincount(image.reshape(-1)[::step], minlength=256)))
