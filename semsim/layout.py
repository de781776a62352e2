"""Reconstructions that are not laid out as their originals are: sheets of pictures, and channels in the wrong order.

The model stretches whatever it gets, and would find no likeness there: a mistake would score as protection.
"""

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidPair
from semsim.images import RGBImage

_SHEET = 1.9
"""A sheet of two square pictures with a border around each is this much longer than high."""
_SMOOTHER = 0.62
"""The values of a mixed-up image vary by less than this share of theirs when they are read channel by channel. No
image of the committed sets does, originals and reconstructions, other than plain ones."""
_ROWS = 16
"""The rows of an image that are looked at."""


def require_comparable(original: RGBImage, reconstruction: RGBImage) -> None:
    """Refuse a reconstruction that is a sheet of several pictures, or whose channels stand one after the other.

    Squares of long originals pass, since most networks take squares.

    Raises:
        InvalidPair: the reconstruction is about twice as long or as high as the original's shape allows, or more, or
            it holds values ``(3, H, W)`` that were read as ``(H, W, 3)``.
    """
    (height, width, _), (wanted_height, wanted_width, _) = reconstruction.shape, original.shape
    stretched = width * wanted_height / (height * wanted_width)
    if max(stretched, 1 / stretched) >= _SHEET and max(width / height, height / width) >= _SHEET:
        raise InvalidPair(
            f"expected one reconstruction of about the shape of its original, {wanted_width}x{wanted_height}, got "
            f"{width}x{height}: a sheet of several pictures is to be cut first"
        )
    if is_channels_first(reconstruction) and not is_channels_first(original):
        raise InvalidPair(
            "expected a reconstruction whose values are in the order (H, W, 3), got one that is far smoother as "
            "(3, H, W): transpose the array, do not reshape it"
        )


def is_channels_first(image: RGBImage) -> bool:
    """True for an image that is far smoother when its values are read as ``(3, H, W)``."""
    if np.array_equal(image[..., 0], image[..., 1]):  # grey: neighbouring values are equal anyway
        return False
    height, width, _ = image.shape
    as_it_is, by_channel = image[None], image.reshape(3, height, width, 1)
    return _variation(by_channel) < _SMOOTHER * _variation(as_it_is)


def _variation(planes: NDArray[np.uint8]) -> float:
    """The mean difference of neighbours below and beside each other, in levels, over some rows of ``(P, H, W, C)``."""
    step = -(-planes.shape[1] // _ROWS)
    rows, below = planes[:, :-1:step].astype(np.int16), planes[:, 1::step]
    return float(np.abs(rows - below).mean() + np.abs(np.diff(rows, axis=2)).mean())
