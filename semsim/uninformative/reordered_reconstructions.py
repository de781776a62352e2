"""Reconstructions that resemble their originals once their values are put in another order.

A mistake on the way to a file exchanges red and blue, or height and width, or reshapes an array ``(3, H, W)`` to
``(H, W, 3)``; an attack itself may find a picture mirrored, turned or inverted. People recognise it, or whoever undoes
the mistake does, but the model finds little likeness. So small copies of both pictures are compared: as they are, and
with the reconstruction put in each of these orders. docs/user.md has the rates.
"""

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
    return _thumbnail(np.moveaxis(_grid(image, 0), 2, 0))


def thumbnail_by_channel(image: RGBImage) -> NDArray[np.float32]:
    """The small copy of the image that the values ``(H, W, 3)`` are when they are read as ``(3, H, W)``."""
    height, width, _ = image.shape
    return _thumbnail(_grid(image.reshape(3, height, width), 1))


def resembles_in_another_order(
    original: NDArray[np.float32], reconstruction: NDArray[np.float32], by_channel: NDArray[np.float32]
) -> bool:
    """True where a reconstruction is far more like its original mirrored, turned, recoloured or read by channel.

    All three are small copies; the last one is of the reconstruction, read by channel.
    """
    as_it_is = float(reconstruction @ original)
    best = max(float((reconstruction[_ORDERS] @ original).max()), -as_it_is, float(by_channel @ original))
    return best >= _ALIKE and 1 - as_it_is >= _TIMES * (1 - best)


def _grid(image: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    """The image at 64 rows and columns, which are its axes from ``axis`` on."""
    for along in (axis, axis + 1):
        side = image.shape[along]
        if side != _GRID:
            image = image.take(np.arange(_GRID) * side // _GRID, axis=along)
    return image


def _thumbnail(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    small: NDArray[np.float32] = _AVERAGE @ planes.astype(np.float32) @ _AVERAGE.T
    small -= small.mean(axis=(1, 2), keepdims=True)
    return (small / max(float(np.linalg.norm(small)), 1e-6)).ravel()


def _orders() -> NDArray[np.intp]:
    """The places of a small copy's values in its mirrored, turned and recoloured copies, one in each row."""
    places = np.arange(3 * SIDE * SIDE).reshape(3, SIDE, SIDE)
    turned = [np.rot90(one, times, (1, 2)) for one in (places, places.transpose(0, 2, 1)) for times in range(4)]
    return np.stack([one.ravel() for one in (*turned[1:], places[::-1])])


_ORDERS = _orders()
_AVERAGE = np.kron(np.eye(SIDE), np.full(_GRID // SIDE, SIDE / _GRID)).astype(np.float32)
