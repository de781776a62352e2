"""The resizer: Pillow's filters, which shrink with anti-aliasing."""

import threading
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.images.decode import RGBImage


class ResizeFilter(StrEnum):
    """The interpolation kernels that an artifact may ask for."""

    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    LANCZOS = "lanczos"
    NEAREST = "nearest"


_PILLOW = {
    ResizeFilter.BICUBIC: Image.Resampling.BICUBIC,
    ResizeFilter.BILINEAR: Image.Resampling.BILINEAR,
    ResizeFilter.LANCZOS: Image.Resampling.LANCZOS,
    ResizeFilter.NEAREST: Image.Resampling.NEAREST,
}
_WHOLE_PIXELS = 2**20
"""Larger pictures are resized channel by channel: Pillow's copy takes four bytes a pixel, that of a channel one.
Threads take turns, so that there is one copy at a time."""
_one_at_a_time = threading.Lock()


def resize(image: RGBImage, height: int, width: int, filter: ResizeFilter = ResizeFilter.BICUBIC) -> RGBImage:
    """Stretch one image to uint8 ``(height, width, 3)``; an image of that size is returned as it is.

    The aspect ratio is not kept. Both images of a pair are treated alike, and nothing is cropped away, so that no
    part of a leak can fall outside the picture.
    """
    if image.shape[:2] == (height, width):
        return image
    if image.shape[0] * image.shape[1] <= _WHOLE_PIXELS:
        return np.asarray(Image.fromarray(image).resize((width, height), _PILLOW[filter]))
    resized = np.empty((height, width, 3), dtype=np.uint8)
    for channel in range(3):
        with _one_at_a_time:
            levels = np.ascontiguousarray(image[..., channel])
            plane = Image.frombuffer("L", image.shape[1::-1], levels, "raw", "L", 0, 1)
            resized[..., channel] = np.asarray(plane.resize((width, height), _PILLOW[filter]))
    return resized


def resize_batch(
    images: Sequence[RGBImage], height: int, width: int, filter: ResizeFilter = ResizeFilter.BICUBIC
) -> NDArray[np.uint8]:
    """Resize N images of any sizes into one contiguous uint8 batch ``(N, height, width, 3)``."""
    batch = np.empty((len(images), height, width, 3), dtype=np.uint8)
    for row, image in zip(batch, images, strict=True):
        row[:] = resize(image, height, width, filter)
    return batch
