"""Pairs of which nothing can be told: the original shows nothing, or the reconstruction is blank or dim beside it.

Nothing can be recognised in a plain colour, a smooth gradient or noise, and so nothing in a reconstruction of it. A
model that learned from photographs says little about it either: it takes two unrelated noise pictures, or two plain
colours, for much the same. The rule for originals looks at the original alone, at one size, and knows no model. A
picture shows nothing where it is smooth or even. Smooth: little contrast is left when the best quadratic surface is
taken away. Even: no row and no column stands out, and the detail is as strong in one place as in another. Noise is
even, whatever its strength, its colour and its grain; photographs, drawings and print are not, but a QR code or a fine
grid is.

A reconstruction is blank where it has hardly any contrast beside its original, or hardly any levels, and dim where it
has far less of both brightness and contrast. An attack that found nothing makes such pictures, and so do mistakes on
the way to a file: values of 0..1 or of -1..1 that were not scaled to 0..255. The model finds no likeness there,
although somebody who sees the attack's values may.

docs/user.md says how often the rules call pictures of each kind so (``benchmarks/scoring/uninformative.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.images import ResizeFilter, RGBImage
from semsim.images.resize import resize

SIDE = 64
"""The height and width of the pictures that the rule looks at. Its limits were measured at this size."""

_LEAST_CONTRAST = 2.0
"""The largest standard deviation of a channel that is left, in levels of 0..255, of a smooth picture."""
_UNEVEN, _BY_CHANCE = 0.28, 5.0
"""The unevenness of an even picture is at most the first, and the second over the original's shorter side more."""
_SMALLEST = 16
_BLOCKS = 8
_BLANK, _DIM = 0.15, 0.55
"""A blank reconstruction's contrast is below the first share of its original's, a dim one's contrast and brightness
below the second."""
_FEW, _MANY = 8, 32
"""A blank reconstruction has at most the first number of levels, its original more than the second."""
_SAMPLED = 4096
"""The values of a picture whose levels are counted."""


class Uninformative(StrEnum):
    """The image because of which nothing can be told of a pair."""

    ORIGINAL = "original"
    RECONSTRUCTION = "reconstruction"

    @property
    def reason(self) -> str:
        """The reason in words."""
        if self is Uninformative.ORIGINAL:
            return "the original shows nothing that could be recognised"
        return "the reconstruction is blank or dim beside its original: a failed attack, or values not scaled to 0..255"


def shows_nothing(picture: RGBImage, original_side: int) -> bool:
    """True for a picture, uint8 ``(64, 64, 3)``, that is smooth or even.

    ``original_side`` is the shorter side, in pixels, that the original had before it was resized to this size. The
    fewer pixels it had, the more uneven noise is by chance; below 16 pixels real images could not be told from it.
    """
    pixels = picture.reshape(-1, 3).astype(np.float32) - 128.0
    means, squares = _means(pixels), _means(pixels * pixels)
    surfaces = pixels.T @ _QUADRATICS
    rest = squares.mean(axis=0) - (surfaces * surfaces).sum(axis=1) / len(pixels)
    if rest.max() < _LEAST_CONTRAST**2:
        return True
    variance = float((squares.mean(axis=0) - means.mean(axis=0) ** 2).sum())
    variances = (squares - means * means).sum(axis=1).clip(0)
    unevenness = _profile(pixels) / variance + _variation(np.sqrt(variances))
    return unevenness < _UNEVEN + _BY_CHANCE / min(max(original_side, _SMALLEST), SIDE)


def uninformative_pairs(
    originals: Sequence[RGBImage],
    reconstructions: Sequence[RGBImage],
    rows: NDArray[np.intp],
    images: NDArray[np.uint8],
    filter: ResizeFilter,
) -> list[Uninformative | None]:
    """For each of N pairs the image because of which nothing can be told, if there is one.

    ``images[rows]`` are the originals and reconstructions, in turn, resized to one size ``(H, W, 3)`` with ``filter``.
    """
    at_hand = images.shape[1:3] == (SIDE, SIDE) and filter is ResizeFilter.BICUBIC
    tones = [_tone(image) for image in images]
    empty: dict[int, bool] = {}
    answers: list[Uninformative | None] = []
    for first, second, original, reconstruction in zip(
        rows[0::2].tolist(), rows[1::2].tolist(), originals, reconstructions, strict=True
    ):
        if first not in empty:
            picture = images[first] if at_hand else resize(original, SIDE, SIDE)
            empty[first] = shows_nothing(picture, min(original.shape[:2]))
        blank = tones[second].is_lost_beside(tones[first]) or _has_few_levels(reconstruction, original)
        answers.append(Uninformative.ORIGINAL if empty[first] else Uninformative.RECONSTRUCTION if blank else None)
    return answers


@dataclass(frozen=True, slots=True)
class _Tone:
    """The brightness and the contrast of a picture, in levels of 0..255."""

    brightness: float
    contrast: float
    """The mean absolute deviation from the mean, of the channel where it is largest. A few bright pixels in a black
    picture add little to it, other than to the standard deviation."""

    def is_lost_beside(self, original: Self) -> bool:
        """True for a reconstruction that is blank, or dim."""
        contrast = self.contrast / max(original.contrast, 1e-6)
        return contrast < _BLANK or max(contrast, self.brightness / max(original.brightness, 1e-6)) < _DIM


def _tone(picture: RGBImage) -> _Tone:
    pixels = picture[::2, ::2].reshape(-1, 3).astype(np.float32)  # a quarter tells as much
    share = np.full(len(pixels), 1 / len(pixels), dtype=np.float32)
    means = share @ pixels  # products: numpy's means cost twenty times as much
    return _Tone(float(means.mean()), float((share @ np.abs(pixels - means)).max()))


def _has_few_levels(reconstruction: RGBImage, original: RGBImage) -> bool:
    """True where a reconstruction has hardly any of the 256 levels, and its original many; both of any size."""
    return _levels(reconstruction) <= _FEW and _levels(original) > _MANY


def _levels(image: RGBImage) -> int:
    """The number of distinct values among some thousands, evenly spread over the image."""
    step = max(1, image.size // _SAMPLED)
    return int(np.count_nonzero(np.bincount(image.reshape(-1)[::step], minlength=256)))


def _profile(pixels: NDArray[np.float32]) -> float:
    """The variance of the means of rows, or of columns where it is larger, of all channels together."""
    rows = pixels.reshape(SIDE, SIDE * 3)
    means = rows @ _OF_ROWS, (_OF_COLUMNS @ rows).reshape(SIDE, 3)  # products: numpy's means cost twenty times as much
    return max(float(one.var(axis=0).sum()) for one in means)


def _variation(values: NDArray[np.float32]) -> float:
    """The standard deviation of values by their mean; infinite where all are 0, as in tiles of plain colours."""
    mean = float(values.mean())
    return float(values.std()) / mean if mean else math.inf


def _means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The means ``(64, 3)`` of the 8x8 blocks of ``values``, ``(64 * 64, 3)``."""
    strips = values.reshape(_BLOCKS, SIDE // _BLOCKS, SIDE * 3).sum(axis=1).reshape(_BLOCKS, SIDE, 3)
    means: NDArray[np.float32] = _AVERAGE @ strips
    return means.reshape(-1, 3)


def _quadratics() -> NDArray[np.float32]:
    """Orthonormal columns ``(64 * 64, 6)`` that span the quadratic surfaces."""
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
    return np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0].astype(np.float32)


_QUADRATICS = _quadratics()
_AVERAGE = np.kron(np.eye(_BLOCKS), np.full(SIDE // _BLOCKS, (_BLOCKS / SIDE) ** 2)).astype(np.float32)
_OF_COLUMNS = np.full(SIDE, 1 / SIDE, dtype=np.float32)
_OF_ROWS = np.tile(np.eye(3, dtype=np.float32) / SIDE, (SIDE, 1))
