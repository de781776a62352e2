"""Reconstructions that are blank or dim beside their originals.

A reconstruction is blank where it has hardly any contrast beside its original, or hardly any levels, and dim where it
has far less of both brightness and contrast. An attack that found nothing makes such pictures, and so do mistakes on
the way to a file: values of 0..1 or of -1..1 that were not scaled to 0..255. The model finds no likeness there,
although somebody who sees the attack's values may. docs/user.md has the rates.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.images import RGBImage

_BLANK, _DIM = 0.15, 0.55
"""A blank reconstruction's contrast is below the first share of its original's, a dim one's contrast and brightness
below the second."""
_FEW, _MANY = 8, 32
"""A blank reconstruction has at most the first number of levels, its original more than the second."""
_SAMPLED = 4096
"""The values of a picture whose levels are counted."""
_SOME = 64
"""Those of them that are looked at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """The brightness and the contrast of N pictures, each ``(N,)``, in levels of 0..255."""

    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    """The mean absolute deviation from the mean, of the channel where it is largest. A few bright pixels in a black
    picture add little to it, other than to the standard deviation."""

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> Self:
        """The tones of pictures ``(N, H, W, 3)``."""
        # A quarter of the pixels, every second one of every second row, tells as much.
        rows = pictures[:, ::2].astype(np.float32)
        count, height, width, _ = rows.shape
        per_channel, number = _sums(height, width), height * ((width + 1) // 2)
        means = rows.reshape(count, 1, -1) @ per_channel / number  # products: numpy's means take far longer
        apart = rows.reshape(count, height, -1)
        apart -= np.tile(means, width)
        deviations = np.abs(apart, out=apart).reshape(count, 1, -1) @ per_channel / number
        return cls(means.mean(axis=(1, 2), dtype=np.float64), deviations.max(axis=(1, 2)).astype(np.float64))

    def __getitem__(self, which: slice) -> Self:
        """The tones of some of the pictures."""
        return type(self)(self.brightness[which], self.contrast[which])

    def are_lost_beside(self, originals: Self) -> NDArray[np.bool_]:
        """True, ``(N,)``, for reconstructions that are blank, or dim."""
        contrast = self.contrast / originals.contrast.clip(1e-6)
        brightness = self.brightness / originals.brightness.clip(1e-6)
        lost: NDArray[np.bool_] = (contrast < _BLANK) | (np.maximum(contrast, brightness) < _DIM)
        return lost


@lru_cache(maxsize=2)
def _sums(height: int, width: int) -> NDArray[np.float32]:
    """The matrix ``(height * width * 3, 3)`` that sums each channel of every second pixel of a row."""
    every_second = np.arange(width) % 2 == 0
    return np.tile(np.kron(every_second[:, None], np.eye(3)), (height, 1)).astype(np.float32)


def has_few_levels(reconstruction: RGBImage, original: RGBImage) -> bool:
    """True where a reconstruction has hardly any of the 256 levels, and its original many; both of any size."""
    values = _sample(reconstruction)
    if len(set(values[:_SOME].tobytes())) > _FEW:  # as most have
        return False
    return _levels(values) <= _FEW and _levels(_sample(original)) > _MANY


def _sample(image: RGBImage) -> NDArray[np.uint8]:
    """Some thousands of an image's values, evenly spread over it."""
    step = max(1, image.size // _SAMPLED)
    step += step % 3 == 0  # a multiple of 3 would look at the red channel alone
    return image.reshape(-1)[::step]


def _levels(values: NDArray[np.uint8]) -> int:
    """The number of distinct values."""
    return int(np.count_nonzero(np.bincount(values, minlength=256)))
