"""Reconstructions that resemble their originals once their values are put in another order.

A mistake on the way to a file exchanges red and blue, or height and width, shifts the picture by half, keeps one
channel, or reshapes an array ``(3, H, W)`` to ``(H, W, 3)`` or the other way round; an attack itself may find a picture
mirrored, turned or inverted. People recognise it, or whoever undoes the mistake does, but the model finds little
likeness. So small copies of both pictures are compared: as they are, and with the reconstruction put in each of these
orders, inverted or not. docs/user.md has the rates.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from semsim.images import RGBImage

SIDE = 16
"""The height and width of the small copies."""

_GRID = 64
"""The rows and columns of an image from which its small copy is averaged."""
_ALIKE, _TIMES = 0.8, 2.0
"""The least correlation in another order, and how many times as far from 1 the correlation in the given order is."""


def thumbnail(image: RGBImage) -> NDArray[np.float32]:
    """A small copy ``(3 * 16 * 16,)`` of an image of any size, each channel of mean 0, of unit norm as a whole."""
    for along in (0, 1):
        side = image.shape[along]
        if side != _GRID:
            image = image.take(_steps(side), axis=along)
    return _thumbnails(np.moveaxis(image, 2, 0)[None]).reshape(-1)


def reshaped_thumbnails(image: RGBImage) -> NDArray[np.float32]:
    """Small copies ``(2, 3 * 16 * 16)`` of an image after either mistake of reshaping is undone.

    The first copy takes the values ``(H, W, 3)`` for ``(3, H, W)``. The second one takes them for those of an image
    that was reshaped to ``(3, H, W)`` and then transposed.
    """
    return _thumbnails(image.reshape(-1)[_reshaped(*image.shape[:2])])


def resembles_in_another_order(
    original: NDArray[np.float32], reconstruction: NDArray[np.float32], reshaped: NDArray[np.float32]
) -> bool:
    """True where a reconstruction is far more like its original reordered, inverted, in grey or reshaped.

    The first two are small copies; ``reshaped`` holds the reconstruction's small copies after reshaping.
    """
    as_it_is = float(reconstruction @ original)
    orders = float(np.abs(reconstruction[_ORDERS] @ original).max())
    best = max(orders, -as_it_is, float((reshaped @ original).max()), _in_one_channel(original, reconstruction))
    return best >= _ALIKE and 1 - as_it_is >= _TIMES * (1 - best)


def _in_one_channel(original: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> float:
    """The correlation with the original in grey of a small copy with one channel that is not plain; 0 for others."""
    channels = reconstruction.reshape(3, -1)
    if np.count_nonzero(channels.any(axis=1)) != 1:
        return 0.0
    grey = original.reshape(3, -1).sum(axis=0)
    return float(channels.sum(axis=0) @ grey) / max(float(np.linalg.norm(grey)), 1e-6)


def _steps(side: int) -> NDArray[np.intp]:
    """The 64 of a side's places that are looked at."""
    return np.arange(_GRID) * side // _GRID


@lru_cache(maxsize=8)
def _reshaped(height: int, width: int) -> NDArray[np.intp]:
    """The places ``(2, 3, 64, 64)`` of an image's values in its copies after reshaping is undone."""
    channel, y, x = np.ix_(np.arange(3), _steps(height), _steps(width))
    size = height * width
    place = (y * width + x) * 3 + channel
    return np.stack([channel * size + y * width + x, place % size * 3 + place // size])


def _thumbnails(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The small copies ``(N, 3 * 16 * 16)`` of N pictures ``(N, 3, 64, 64)``."""
    small: NDArray[np.float32] = (_AVERAGE @ pictures.astype(np.float32) @ _AVERAGE.T).reshape(-1, 3, SIDE * SIDE)
    small -= small.mean(axis=2, keepdims=True)
    small = small.reshape(-1, 3 * SIDE * SIDE)
    small /= np.linalg.norm(small, axis=1, keepdims=True).clip(1e-6)
    return small


def _orders() -> NDArray[np.intp]:
    """The places of a small copy's values in its mirrored, turned, recoloured and shifted copies, one in each row."""
    places = np.arange(3 * SIDE * SIDE).reshape(3, SIDE, SIDE)
    turned = [np.rot90(one, times, (1, 2)) for one in (places, places.transpose(0, 2, 1)) for times in range(4)]
    shifted = [np.roll(places, SIDE // 2, axes) for axes in (1, 2, (1, 2))]
    return np.stack([one.ravel() for one in (*turned[1:], places[::-1], *shifted)])


_ORDERS = _orders()
_AVERAGE = np.kron(np.eye(SIDE), np.full(_GRID // SIDE, SIDE / _GRID)).astype(np.float32)
