"""Reconstructions that resemble their originals once their values are put in another order.

A mistake on the way to a file exchanges red and blue, or height and width, shifts the picture by half, keeps one
channel, or takes the values for those of another layout: any other order of the axes, such as ``(3, H, W)``, for
``(H, W, 3)``, ``(W, H)`` for ``(H, W)``, or ``(H, W, 3)`` for ``(3, H, W)``. An attack itself may find a picture
mirrored, turned or inverted. People recognise it, or whoever undoes the mistake does, but the model finds little
likeness. So small copies of both pictures are compared: as they are, with the reconstruction put in each of these
orders, inverted or not, and with its values read in each layout. docs/user.md has the rates.
"""

from collections.abc import Iterator, Sequence
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
_SQUARE_AXES = ((2, 0, 1), (0, 2, 1))
"""The wrong orders in which rows, columns and channels (0, 1, 2) may lie in a square image's values."""
_AXES = (*_SQUARE_AXES, (1, 0, 2), (2, 1, 0), (1, 2, 0))
"""The same of any image. Of a square one the last three are the image itself and the first two, transposed."""
_LAYOUTS = len(_AXES) + 1
"""The layouts of an image that is not square, with that of a reshape to (3, H, W)."""


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


def best_in_another_layout(originals: NDArray[np.float32], images: Sequence[RGBImage]) -> NDArray[np.float32]:
    """The best correlations ``(N,)`` of originals with reconstructions whose values are read in another layout.

    ``originals`` are N small copies, ``images`` the reconstructions at their own sizes.
    """
    best = np.empty(len(images), dtype=np.float32)
    for indices, read in _in_each_layout(images):
        wanted = originals[indices].take(_UPRIGHT_AND_TRANSPOSED, axis=1)[:, None]
        best[indices] = np.vecdot(read[:, :, None], wanted).max(axis=(1, 2))
    return best


def layout_thumbnails(images: Sequence[RGBImage]) -> NDArray[np.float32]:
    """Small copies ``(N, 6, 16 * 3 * 16)`` of N images of any sizes, whose values are read in each other layout.

    A square image has three layouts, which come twice.
    """
    copies = np.empty((len(images), _LAYOUTS, SIDE * 3 * SIDE), dtype=np.float32)
    for indices, read in _in_each_layout(images):
        copies[indices] = read.take(np.arange(_LAYOUTS) % read.shape[1], axis=1)
    return copies


def _in_each_layout(images: Sequence[RGBImage]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """The indices of the images of each size, n of them, with small copies ``(n, layouts, 16 * 3 * 16)``.

    Where the declared shape has height and width exchanged, too, the same copies come out transposed.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_size.setdefault(image.shape[:2], []).append(index)
    for (height, width), indices in by_size.items():
        places = _layouts(height, width)
        read = thumbnails(np.concatenate([images[i].reshape(-1).take(places) for i in indices]))
        yield indices, read.reshape(len(indices), len(places), -1)


def resemble_in_another_order(
    originals: NDArray[np.float32], reconstructions: NDArray[np.float32], in_another_layout: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """True, ``(N,)``, where a reconstruction is far more like its original reordered, inverted, in grey or read anew.

    The first two are N small copies, the third the best correlations of their images in another layout.
    """
    as_they_are = np.vecdot(originals, reconstructions)
    reordered = np.vecdot(reconstructions.take(_ORDERS, axis=1), originals[:, None])
    best = np.maximum.reduce([np.abs(reordered).max(axis=1), in_another_layout, -as_they_are])
    if len(single := _in_one_channel(reconstructions)):
        in_grey = np.vecdot(_grey(originals[single]), _channels(reconstructions[single]))
        best[single] = np.maximum(best[single], in_grey)
    return _far_more_alike(best, as_they_are, _ALIKE)


def resemble_any_in_another_order(
    originals: NDArray[np.float32], reconstructions: NDArray[np.float32], in_layouts: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """True, ``(N, M)``, where one of M reconstructions is far more like one of N originals in another order.

    The first two are small copies, the third those of :func:`layout_thumbnails` of the reconstructions. The least
    correlation is higher than that of a single pair.
    """
    as_they_are = originals @ reconstructions.T
    best = -as_they_are
    for order in _ORDERS:
        np.maximum(best, np.abs(originals @ reconstructions[:, order].T), out=best)
    for places in _UPRIGHT_AND_TRANSPOSED:
        wanted = originals[:, places]
        for read in in_layouts.swapaxes(0, 1):
            np.maximum(best, wanted @ read.T, out=best)
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
def _layouts(height: int, width: int) -> NDArray[np.intp]:
    """The places ``(layouts, H, W, 3)`` of an image's values once they are read in each layout, at most 64 a side."""
    sides, at = (height, width, 3), np.ix_(_steps(height), _steps(width), np.arange(3))
    orders = _SQUARE_AXES if height == width else _AXES
    read = [np.ravel_multi_index([at[i] for i in axes], [sides[i] for i in axes]) for axes in orders]
    # An image whose values were right, but that was reshaped to (3, H, W) and transposed.
    channel, pixel = np.divmod(np.ravel_multi_index(at, sides), height * width)
    return np.stack([*read, pixel * 3 + channel])


def _orders() -> NDArray[np.intp]:
    """The places of a small copy's values in its mirrored, turned, recoloured and shifted copies, one in each row."""
    turned = [np.rot90(one, times, (0, 2)) for one in (_PLACES, _TRANSPOSED) for times in range(4)]
    shifted = [np.roll(_PLACES, SIDE // 2, axes) for axes in (0, 2, (0, 2))]
    return np.stack([one.ravel() for one in (*turned[1:], _PLACES[:, ::-1], *shifted)])


_PLACES = np.arange(SIDE * 3 * SIDE).reshape(SIDE, 3, SIDE)
_TRANSPOSED = _PLACES.transpose(2, 1, 0)
_UPRIGHT_AND_TRANSPOSED = np.stack([_PLACES.ravel(), _TRANSPOSED.ravel()])
_ORDERS = _orders()
_SPREAD = np.tile(np.repeat(np.eye(3, dtype=np.float32), SIDE, axis=1), SIDE)
"""1 at the values of each channel of a small copy, ``(3, 16 * 3 * 16)``."""
_MEANS = np.ascontiguousarray(_SPREAD.T) / SIDE**2
