"""The decoder: encoded bytes, files and arrays to uint8 RGB."""

import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import EmptyImage, InvalidArray, UnreadableFile
from semsim.images.formats import ImageFormat, sniff
from semsim.images.in_memory import TensorLike, array_of_tensor, pixels_of_pillow
from semsim.images.jpeg_decoder import decode_jpeg
from semsim.images.limits import DEFAULT_LIMITS, DecodeLimits
from semsim.images.on_white import rgb_on_white
from semsim.images.png_decoder import decode_png
from semsim.images.webp_decoder import decode_webp

RGBImage = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``, RGB, 0..255."""

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | RGBImage | Image.Image | TensorLike
"""An image before :func:`decode`: its encoded bytes, its path (``str`` or ``PathLike``), a uint8 array, an image of
Pillow or a uint8 tensor."""

_DECODERS = {ImageFormat.PNG: decode_png, ImageFormat.JPEG: decode_jpeg, ImageFormat.WEBP: decode_webp}


def decode(source: Source, *, limits: DecodeLimits = DEFAULT_LIMITS) -> RGBImage:
    """Turn one encoded image, path, array, tensor or image of Pillow into uint8 RGB ``(H, W, 3)``.

    It takes PNG, JPEG and WebP of 8 bits a channel. Grey becomes three equal channels; transparency is
    composited over white, as a page shows it; EXIF orientation is applied; the colours of an ICC profile become those
    of sRGB. What is damaged is refused as far as its format tells (docs/damaged-pictures.md). Arrays are ``(H, W)``
    or ``(H, W, C)``, tensors also ``(C, H, W)``, with 1, 3 or 4 channels.

    Raises:
        InvalidImage: one subclass, with its own code, for each way an image can be unusable.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, str | os.PathLike):
        return _from_bytes(read_file(source, limits), limits)
    if isinstance(source, bytes | bytearray | memoryview):
        limits.require_bytes(memoryview(source).nbytes)  # a view may repeat few bytes without end
        return _from_bytes(bytes(source), limits)
    if isinstance(source, Image.Image):
        return pixels_of_pillow(source, limits)
    if isinstance(source, TensorLike):
        return _from_array(array_of_tensor(source), limits)
    # bytes(5) would be five zeros, and bytes([1, 2]) two: nothing else is converted.
    kind = f"{type(source).__module__}.{type(source).__qualname__}".removeprefix("builtins.")
    raise InvalidArray(f"expected encoded bytes, a path or a uint8 array, tensor or image of Pillow, got {kind}")


def read_file(source: str | os.PathLike[str], limits: DecodeLimits) -> bytes:
    """The bytes of an encoded image's file.

    Raises:
        UnreadableFile: there is no such regular file that can be read.
        TooManyBytes: the file is over the limit.
    """
    path: object = source
    try:
        path = Path(os.fsdecode(source))
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise UnreadableFile(f"expected a readable image file, got {path}: not a regular file")
        limits.require_bytes(status.st_size)
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)  # some files, as below /proc, hold more than they say
    except (OSError, ValueError) as error:  # a name with a NUL or half a surrogate is a ValueError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UnreadableFile(f"expected a readable image file, got {path}: {reason}") from error


def _from_array(array: NDArray[np.generic], limits: DecodeLimits) -> RGBImage:
    if array.dtype != np.uint8:
        raise InvalidArray(
            f"expected a uint8 array, got {array.dtype}; for float tensors use semsim.images.images_from_tensor"
        )
    if np.ma.is_masked(array):
        raise InvalidArray("expected an array whose values all count, got a masked array")
    array = np.asarray(array)  # a matrix and other subclasses have shapes of their own
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise InvalidArray(f"expected shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}")
    limits.require_size(shape[1], shape[0])
    if array.ndim == 3 and shape[2] == 3:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.ndim == 3 and shape[2] == 4:
        return rgb_on_white(Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8), "RGBA"))
    grey = array.reshape(shape[0], shape[1], 1)
    return np.ascontiguousarray(np.broadcast_to(grey, (shape[0], shape[1], 3)), dtype=np.uint8)


def _from_bytes(data: bytes, limits: DecodeLimits) -> RGBImage:
    if not data:
        raise EmptyImage("expected an encoded image, got 0 bytes")
    limits.require_bytes(len(data))
    return _DECODERS[sniff(data)](data, limits)
