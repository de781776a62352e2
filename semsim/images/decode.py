"""The decoder: encoded bytes, files and arrays to uint8 RGB."""

import io
import os
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from semsim.exceptions import (
    AnimatedImage,
    CMYKImage,
    CorruptImage,
    EmptyImage,
    InvalidArray,
    InvalidImage,
    SixteenBitImage,
    TooManyBytes,
    TooManyPixels,
    TruncatedImage,
    UnreadableFile,
)
from semsim.images.formats import ImageFormat, is_complete, sniff
from semsim.images.jpeg import is_cut

RGBImage = NDArray[np.uint8]
"""uint8 ``(H, W, 3)``, RGB, 0..255."""

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | RGBImage
"""An image before :func:`decode`: its encoded bytes, its path (``str`` or ``PathLike``) or a uint8 array."""

# Pillow's parsers raise all of these on hostile bytes; each means that the file is broken.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)

_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The limits of one image. They are checked before any pixel is decoded."""

    max_bytes: int = 16 * 2**20
    """The limit of the encoded image, bytes."""
    max_pixels: int = 4096 * 4096
    """The limit of width x height after decoding, pixels."""


DEFAULT_LIMITS = DecodeLimits()


def decode(source: Source, *, limits: DecodeLimits = DEFAULT_LIMITS) -> RGBImage:
    """Turn one encoded image, path or array into uint8 RGB ``(H, W, 3)``.

    It takes PNG, JPEG and WebP of 8 bits a channel. Grey becomes three equal channels; transparency is
    composited over white, as a page shows it; EXIF orientation is applied; an ICC profile is ignored.

    Raises:
        InvalidImage: one subclass, with its own code, for each way an image can be unusable.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, str | os.PathLike):
        return _from_bytes(_read(source, limits), limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), limits)
    # bytes(5) would be five zeros, and bytes([1, 2]) two: nothing else is converted.
    kind = f"{type(source).__module__}.{type(source).__qualname__}".removeprefix("builtins.")
    raise InvalidArray(f"expected encoded bytes, a path or a uint8 array (H, W, 3), got {kind}{_hint(source)}")


def _hint(source: object) -> str:
    """The way from an image of another library to an array."""
    if isinstance(source, Image.Image):
        return '; np.asarray(image.convert("RGB")) makes an array of it'
    if hasattr(source, "detach"):
        return (
            "; semsim.images.images_from_tensor makes images of normalised tensors, and .numpy() an array of uint8 ones"
        )
    return ""


def _read(source: str | os.PathLike[str], limits: DecodeLimits) -> bytes:
    path: object = source
    try:
        path = Path(os.fsdecode(source))
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise UnreadableFile(f"expected a readable image file, got {path}: not a regular file")
        _check_bytes(status.st_size, limits)
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)  # some files, as below /proc, hold more than they say
    except (OSError, ValueError) as error:  # a name with a NUL or half a surrogate is a ValueError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UnreadableFile(f"expected a readable image file, got {path}: {reason}") from error


def _check_bytes(size: int, limits: DecodeLimits) -> None:
    if size > limits.max_bytes:
        raise TooManyBytes(f"expected at most {limits.max_bytes} bytes an image, got {size}")


def _check_shape(width: int, height: int, limits: DecodeLimits) -> None:
    if width < 1 or height < 1:
        raise EmptyImage(f"expected at least 1x1 pixels, got {width}x{height}")
    if width * height > limits.max_pixels:
        raise TooManyPixels(
            f"expected at most {limits.max_pixels} pixels an image, got {width}x{height} = {width * height}"
        )


def _from_array(array: NDArray[np.generic], limits: DecodeLimits) -> RGBImage:
    if np.ma.is_masked(array):
        raise InvalidArray("expected an array whose values all count, got a masked array")
    array = np.asarray(array)  # a matrix and other subclasses have shapes of their own
    shape = array.shape
    if array.dtype != np.uint8:
        raise InvalidArray(
            f"expected a uint8 array, got {array.dtype}; for float tensors use semsim.images.images_from_tensor"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise InvalidArray(f"expected shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}")
    _check_shape(shape[1], shape[0], limits)
    if array.ndim == 3 and shape[2] == 3:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.ndim == 3 and shape[2] == 4:
        return _rgb(Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8), "RGBA"))
    grey = array.reshape(shape[0], shape[1], 1)
    return np.ascontiguousarray(np.broadcast_to(grey, (shape[0], shape[1], 3)), dtype=np.uint8)


def _from_bytes(data: bytes, limits: DecodeLimits) -> RGBImage:
    if not data:
        raise EmptyImage("expected an encoded image, got 0 bytes")
    _check_bytes(len(data), limits)
    image_format = sniff(data)
    try:
        # Only the parser that the magic number names: Pillow has dozens, some with a history.
        with Image.open(io.BytesIO(data), formats=(image_format.value,)) as image:
            _check_shape(image.width, image.height, limits)
            _refuse_unsupported(image, image_format)
            if image_format is ImageFormat.PNG:
                _scale_transparent_grey(image)
            image.load()
            if image_format is ImageFormat.JPEG and is_cut(data, image):
                raise TruncatedImage("expected a complete JPEG file, got one whose end mark stands too early")
            return _rgb(_upright(image))
    except InvalidImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(
            f"expected at most {limits.max_pixels} pixels an image, got a decompression bomb"
        ) from error
    except _DECODER_ERRORS as error:
        if not is_complete(data, image_format):
            raise TruncatedImage(
                f"expected a complete {image_format.value} file, got one that ends after {len(data)} bytes"
            ) from None
        raise CorruptImage(
            f"expected a valid {image_format.value} file, got one that cannot be decoded ({type(error).__name__})"
        ) from None


def _refuse_unsupported(image: Image.Image, image_format: ImageFormat) -> None:
    # Pillow opens a 16-bit RGB PNG as 8-bit without a word: only the layout that it unpacks from tells.
    if image_format is ImageFormat.PNG and ";16" in _packed(image):
        raise SixteenBitImage("expected 8 bits a channel, got a 16-bit PNG")
    if image.mode == "CMYK":
        raise CMYKImage("expected RGB or grey, got CMYK")
    # A phone's JPEG may hold a depth map or preview as further pictures (MPO): the first is the photograph.
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image_format is not ImageFormat.JPEG:
        raise AnimatedImage(f"expected one frame, got {frames}")


def _packed(image: Image.Image) -> str:
    """Pillow's name for how the file packs its pixels, such as ``RGB;16B`` or ``L;2``."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return str(tiles[0].args) if tiles else ""


def _scale_transparent_grey(image: Image.Image) -> None:
    """Scale the grey that the file calls transparent to 8 bits: Pillow scales all other greys of 2 and 4 bits."""
    levels = {"L;2": 3, "L;4": 15}.get(_packed(image))
    transparent = image.info.get("transparency")
    if levels is not None and isinstance(transparent, int):
        image.info["transparency"] = (transparent & levels) * (255 // levels)


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except _DECODER_ERRORS:
        return image  # a broken EXIF block does not make the pixels wrong; viewers ignore it, too
    transpose = _TRANSPOSE.get(orientation) if isinstance(orientation, int) else None
    return image if transpose is None else image.transpose(transpose)


def _rgb(image: Image.Image) -> RGBImage:
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (255, 255, 255, 255))
        canvas.alpha_composite(with_alpha)
        image = canvas
    return np.array(image.convert("RGB"), dtype=np.uint8)
