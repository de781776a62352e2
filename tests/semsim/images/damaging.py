"""Whole pictures, and the ways in which they are damaged."""

import re
import struct
import zlib

import numpy as np
from PIL import Image

from tests.encoded import encode, png_chunk

JPEG_END = b"\xff\xd9"


def photograph(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """A picture with smooth parts, edges and grain, as photographs have: uint8 ``(H, W, 3)``."""
    rng = np.random.default_rng(seed)
    smooth = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    edges = np.asarray(Image.fromarray(rng.integers(0, 80, (9, 12, 3), dtype=np.uint8)).resize((width, height), 0))
    grain = rng.normal(0, 6, (height, width, 3))
    return (np.asarray(smooth) * 0.7 + edges + grain).clip(0, 255).astype(np.uint8)


WHOLE = {
    "jpeg": [encode(photograph(seed=seed), "JPEG", quality=85) for seed in range(2)],
    "progressive": [encode(photograph(seed=seed), "JPEG", quality=85, progressive=True) for seed in range(2)],
    "png": [encode(photograph(seed=seed)) for seed in range(2)],
    "webp": [encode(photograph(seed=seed), "WEBP", quality=80) for seed in range(2)],
    "lossless": [encode(photograph(seed=seed), "WEBP", lossless=True) for seed in range(2)],
}
"""Two pictures in each format."""


def cut_and_ended(data: bytes, part: float) -> bytes:
    """The file up to a part of it, with the end mark or the sizes of a whole one."""
    cut = data[: int(len(data) * part)]
    if data.startswith(b"\xff\xd8"):
        return cut.rstrip(b"\xff") + JPEG_END
    if data.startswith(b"\x89PNG"):
        return cut + png_chunk(b"IEND", b"")
    body = cut[20 : len(cut) - len(cut) % 2]
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + cut[12:16] + struct.pack("<I", len(body)) + body


def scans(data: bytes) -> list[int]:
    """The offsets of the starts of scans of a JPEG."""
    return [match.start() for match in re.finditer(rb"\xff\xda\0[\x08\x0a\x0c]", data)]


def with_rows(data: bytes, rows: bytes) -> bytes:
    """A PNG of one chunk of pixels, with other rows and right checksums."""
    start = data.index(b"IDAT") - 4
    return data[:start] + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
