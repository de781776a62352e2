"""The only image decoder and resizer of the project.

An image is a uint8 array ``(H, W, 3)``, RGB, 0..255. Training, export and service all read their images here,
so that one picture means the same numbers everywhere.
"""

from semsim.images.decode import RGBImage, Source, decode
from semsim.images.limits import DecodeLimits
from semsim.images.resize import ResizeFilter, resize, resize_batch
from semsim.images.tensors import images_from_tensor

__all__ = [
    "DecodeLimits",
    "RGBImage",
    "ResizeFilter",
    "Source",
    "decode",
    "images_from_tensor",
    "resize",
    "resize_batch",
]
