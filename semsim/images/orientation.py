"""The EXIF orientation of a file, and the turning of its pixels."""

import io
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.images.formats import ImageFormat

# Pillow warns of each broken entry of a block of metadata: thousands a file, which tell nobody anything, as the pixels
# are right. Filters belong to the whole process: to set one around a call would mix those of several threads.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")

_ORIENTATION_TAG = 0x0112
_TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}


def read_orientation(data: bytes, image_format: ImageFormat) -> int:
    """The orientation that the metadata of an encoded image asks for: 1 is upright, and stands for none.

    A broken block of metadata does not make the pixels wrong: viewers ignore it, too.
    """
    try:
        with Image.open(io.BytesIO(data), formats=(image_format.value,)) as image:
            orientation = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - Pillow's parsers of metadata raise anything on hostile bytes
        return 1
    return orientation if isinstance(orientation, int) else 1


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn pixels ``(H, W, 3)`` as an EXIF orientation from 2 to 8 asks; others change nothing."""
    turn = _TURNS.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))
