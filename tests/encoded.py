"""Encoded images of every kind that the decoder must take or refuse."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def picture(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """A smooth random uint8 image ``(H, W, 3)``."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(image: Image.Image | np.ndarray, image_format: str = "PNG", **options: Any) -> bytes:
    """Encode with Pillow."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, image_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    data: bytes = b"",
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG by hand, with any header and any chunks before and after it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + before + header + after + pixels + png_chunk(b"IEND", b"")


def sixteen_bit_png(colour: int, before: bytes = b"") -> bytes:
    """A valid 8x8 PNG of 16 bits a channel: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    return raw_png(8, 8, depth=16, colour=colour, data=(b"\0" + bytes(8 * channels * 2)) * 8, before=before)


def animated(image_format: str) -> bytes:
    """An animation of three frames."""
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100)


def oriented(orientation: int, image_format: str = "PNG") -> bytes:
    """A picture whose EXIF block asks for ``orientation``."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(picture(), image_format, exif=exif)
