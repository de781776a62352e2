"""Reconstructions that resemble their originals once their values are put in another order.

A mistake on the way to a file exchanges red and blue, or height and width, shifts the picture by half, keeps one
channel, or reshapes an array ``(3, H, W)`` to ``(H, W, 3)`` or the other way round; an attack itself may find a picture
mirrored, turned or inverted. People recognise it, or whoever undoes the mistake does, but the model finds little
likeness. So small copies of both pictures are compared: as they are, and with the reconstruction put in each of these
orders, inverted or not. docs/user.md has the rates.
"""

from collections.abc import Sequence
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
_AMONG_MANY = 0.85
"""The least correlation where each of many pairs is looked at, of which some are alike by chance."""
_ROUNDING = 1e-5
"""The least distance from 1 of the correlation in the given order: several orders of a symmetric picture are alike, but
for rounding."""


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Small copies ``(N, 16 * 3 * 16)`` of images ``(N, H, W, 3)``: rows, channels, columns.

    Each channel has the mean 0, and each copy as a whole unit norm.
    """
    for axis in (1, 2):
        if images.shape[axis] > _GRID:
            images = images.take(_steps(images.shape[axis]), axis=axis)
    count, height, width, _ = images.shape
    rows = _averages(height) @ images.reshape(count, height, width * 3).astype(np.float32)
    small = (rows @ _averages_of_columns(width)).reshape(count, SIDE * 3 * SIDE)
    small -= (small @ _MEANS) @ _SPREAD  # exact: a plain channel is all 0
    small /= np.sqrt(np.vecdot(small, small)).clip(1e-6)[:, None]
    return small


def reshaped_thumbnails(images: Sequence[RGBImage]) -> NDArray[np.float32]:
    """Small copies ``(N, 2, 16 * 3 * 16)`` of N images of any sizes after either mistake of reshaping is undone.

    The first copy takes the values ``(H, W, 3)`` for ``(3, H, W)``. The second one takes them for those of an image
    that was reshaped to ``(3, H, W)`` and then transposed.
    """
    copies = np.empty((len(images), 2, SIDE * 3 * SIDE), dtype=np.float32)
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_size.setdefault(image.shape[:2], []).append(index)
    for (height, width), indices in by_size.items():
        places = _reshaped(height, width)
        undone = np.concatenate([images[i].reshape(-1).take(places) for i in indices])
        copies[indices] = thumbnails(undone).reshape(len(indices), 2, -1)
    return copies


def resemble_in_another_order(
    originals: NDArray[np.float32], reconstructions: NDArray[np.float32], reshaped: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """True, ``(N,)``, where a reconstruction is far more like its original reordered, inverted, in grey or reshaped.

    The first two are N small copies; ``reshaped`` holds the reconstructions' small copies after reshaping.
    """
    as_they_are = np.vecdot(originals, reconstructions)
    reordered = np.vecdot(reconstructions.take(_ORDERS, axis=1), originals[:, None])
    undone = np.vecdot(reshaped, originals[:, None])
    best = np.maximum(np.abs(reordered).max(axis=1), undone.max(axis=1))
    best = np.maximum(best, -as_they_are)
    if len(single := _in_one_channel(reconstructions)):
        in_grey = np.vecdot(_grey(originals[single]), _channels(reconstructions[single]))
        best[single] = np.maximum(best[single], in_grey)
    return _far_more_alike(best, as_they_are, _ALIKE)


def resemble_any_in_another_order(
    originals: NDArray[np.float32], reconstructions: NDArray[np.float32], reshaped: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """True, ``(N, M)``, where one of M reconstructions is far more like one of N originals in another order.

    The least correlation is higher than that of a single pair.
    """
    as_they_are = originals @ reconstructions.T
    best = -as_they_are
    for order in _ORDERS:
        np.maximum(best, np.abs(originals @ reconstructions[:, order].T), out=best)
    for undone in reshaped.swapaxes(0, 1):
        np.maximum(best, originals @ undone.T, out=best)
    if len(single := _in_one_channel(reconstructions)):
        in_grey = _grey(originals) @ _channels(reconstructions[single]).T
        best[:, single] = np.maximum(best[:, single], in_grey)
    return _far_more_alike(best, as_they_are, _AMONG_MANY)


def _far_more_alike(best: NDArray[np.float32], as_they_are: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """True where the best correlation in another order is high, and far above the one in the given order."""
    alike: NDArray[np.bool_] = (best >= least) & (1 - as_they_are >= (_TIMES * (1 - best)).clip(_ROUNDING))
    return alike


def _in_one_channel(copies: NDArray[np.float32]) -> NDArray[np.intp]:
    """The small copies with one channel that is not plain."""
    return np.flatnonzero(np.count_nonzero((copies * copies) @ _MEANS, axis=1) == 1)


def _channels(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sums ``(N, 16 * 16)`` of the channels of small copies."""
    return np.asarray(copies.reshape(-1, SIDE, 3, SIDE).sum(axis=2).reshape(len(copies), -1))


def _grey(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """Small copies in grey, ``(N, 16 * 16)``, of unit norm."""
    sums = _channels(copies)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-6))


def _steps(side: int) -> NDArray[np.intp]:
    """The places of a side that are looked at: 64, or all of them where they are fewer."""
    return np.arange(_GRID) * side // _GRID if side > _GRID else np.arange(side)


@lru_cache(maxsize=8)
def _averages(side: int) -> NDArray[np.float32]:
    """The matrix ``(16, side)`` that averages a side's places as if 64 of them were looked at, some of them twice."""
    looked_at = np.eye(side)[np.arange(_GRID) * side // _GRID]
    return np.asarray(looked_at.reshape(SIDE, -1, side).mean(axis=1), dtype=np.float32)


@lru_cache(maxsize=8)
def _averages_of_columns(width: int) -> NDArray[np.float32]:
    """The same for rows of pixels, ``(width * 3, 3 * 16)``, after which the channels come first."""
    columns = np.einsum("xw,cd->wcdx", _averages(width), np.eye(3, dtype=np.float32))
    return np.ascontiguousarray(columns).reshape(width * 3, 3 * SIDE)


@lru_cache(maxsize=8)
def _reshaped(height: int, width: int) -> NDArray[np.intp]:
    """The places ``(2, H, W, 3)`` of an image's values in its copies after reshaping is undone, at most 64 a side."""
    y, x, channel = np.ix_(_steps(height), _steps(width), np.arange(3))
    size = height * width
    place = (y * width + x) * 3 + channel
    return np.stack([channel * size + y * width + x, place % size * 3 + place // size])


def _orders() -> NDArray[np.intp]:
    """The places of a small copy's values in its mirrored, turned, recoloured and shifted copies, one in each row."""
    places = np.arange(SIDE * 3 * SIDE).reshape(SIDE, 3, SIDE)
    turned = [np.rot90(one, times, (0, 2)) for one in (places, places.transpose(2, 1, 0)) for times in range(4)]
    shifted = [np.roll(places, SIDE // 2, axes) for axes in (0, 2, (0, 2))]
    return np.stack([one.ravel() for one in (*turned[1:], places[:, ::-1], *shifted)])


_ORDERS = _orders()
_SPREAD = np.tile(np.repeat(np.eye(3, dtype=np.float32), SIDE, axis=1), SIDE)
"""1 at the values of each channel of a small copy, ``(3, 16 * 3 * 16)``."""
_MEANS = np.ascontiguousarray(_SPREAD.T) / SIDE**2
