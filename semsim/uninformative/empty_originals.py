"""Originals that show nothing: plain colours, smooth gradients and noise.

Nothing can be recognised in such a picture, and so nothing in a reconstruction of it. A model that learned from
photographs says little about it either: it takes two unrelated noise pictures, or two plain colours, for much the same.

The rule looks at the original alone, at one size, and knows no model. A picture shows nothing where it is smooth or
even. Smooth: little contrast is left when the best quadratic surface is taken away. Even: no row and no column stands
out, and the detail is as strong in one place as in another. Noise is even, whatever its strength, its colour and its
grain; photographs, drawings and print are not, but a QR code or a fine grid is. How often the rule calls pictures of
each kind so is in docs/user.md (``semsim_training.uninformative_report`` measures it).
"""

import math

import numpy as np
from numpy.typing import NDArray

from semsim.images import RGBImage

SIDE = 64
"""The height and width of the pictures that the rule looks at. Its limits were measured at this size."""

_LEAST_CONTRAST = 2.0
"""The largest standard deviation of a channel that is left, in levels of 0..255, of a smooth picture."""
_UNEVEN, _BY_CHANCE = 0.28, 5.0
"""The unevenness of an even picture is at most the first, and the second over the original's shorter side more."""
_SMALLEST = 16
_BLOCKS = 8


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
