"""Near copies: reconstructions that show their original to the eye, stored so that they show it to nobody else.

A set holds no original, and a reconstruction of 30 dB or more is as good as one. It is stored as its difference from
the original. That difference is often a faint picture of the original itself, since an attack's error follows the image
that it attacks; so the difference is sealed with a stream that only the original's pixels give. Who has the original
gets the reconstruction back, bit for bit; nobody else gets anything.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from semsim.images import RGBImage, decode
from semsim.pixel_metrics import mse, psnr
from semsim_training.client_images.png import encode_png

NEAR_DB = 30.0
"""The least PSNR of a near copy."""


def near_copy(reconstruction: RGBImage, originals: NDArray[np.uint8], shared: NDArray[np.uint8]) -> int | None:
    """The index of the original that a reconstruction is a near copy of, or nothing.

    ``originals`` are a client's images ``(m, H, W, 3)``, ``shared`` the same after the client's policies.
    """
    decibels = [psnr(mse(images, np.broadcast_to(reconstruction, images.shape))) for images in (originals, shared)]
    closest = np.maximum(*decibels)
    nearest = int(closest.argmax())
    return nearest if closest[nearest] >= NEAR_DB else None


def pixels_sha256(image: RGBImage) -> str:
    """The sha256 of an image's uint8 values, by rows, columns and channels (red, green, blue), in hexadecimal digits.

    For an original these are the values of the decoded file after it was cut to its centre square and resized.
    """
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def sealed(reconstruction: RGBImage, original: RGBImage, setting: str, image: str) -> bytes:
    """The difference of two images ``(H, W, 3)`` modulo 256 as a PNG file, sealed with the original's pixels.

    ``setting`` and ``image`` tell the row apart: no two rows share a stream.
    """
    return _masked(encode_png(reconstruction - original), original, setting, image)


def opened(data: bytes, original: RGBImage, setting: str, image: str) -> RGBImage:
    """The reconstruction that :func:`sealed` was given, of the same original and row."""
    return original + decode(_masked(data, original, setting, image))


def _masked(data: bytes, original: RGBImage, setting: str, image: str) -> bytes:
    key = f"{setting}\n{image}\n".encode() + original.tobytes()
    stream = hashlib.shake_256(key).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))
