"""The formats in which pictures are damaged, and the ways in which transfers, disks and editors damage them."""

import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from semsim.images.png_chunks import read_chunks, write_chunk

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "MPO": ("MPO", {"quality": 85}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 80}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
}
_JPEG_END = b"\xff\xd9"
_PNG_END = write_chunk(b"IEND", b"")


def encode(picture: Image.Image, name: str) -> bytes:
    """A picture in one of ``FORMATS``; an MPO holds it and a small preview."""
    buffer = io.BytesIO()
    image_format, options = FORMATS[name]
    more = {"save_all": True, "append_images": [picture.resize((32, 32))]} if image_format == "MPO" else {}
    picture.save(buffer, image_format, **options, **more)
    return buffer.getvalue()


def _cut(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(len(data) * rng.uniform(0.1, 0.95))]


def _cut_and_ended(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    if b"MPF\0" in data[:400]:  # the first picture of an MPO alone
        rest = re.search(rb"\xff\xd9\0*\xff\xd8", data)
        first = data[400 : rest.start()] if rest else b""
        return data[:400] + first[: int(len(first) * rng.uniform(0.4, 0.95))] + data[len(first) + 400 :]
    cut = _cut(data, other, rng)
    if data.startswith(b"\xff\xd8"):
        return cut.rstrip(b"\xff") + _JPEG_END + b"\n"
    if data.startswith(b"\x89PNG"):
        return cut + _PNG_END + b"\n"
    chunk = cut[20 : len(cut) - len(cut) % 2]
    return b"RIFF" + struct.pack("<I", 12 + len(chunk)) + b"WEBP" + cut[12:16] + struct.pack("<I", len(chunk)) + chunk


def _between_scans(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes | None:
    scans = [match.start() for match in re.finditer(rb"\xff\xda\0[\x08\x0a\x0c]", data)]
    if b"MPF\0" in data[:400] or len(scans) < 2:
        return None
    return data[: scans[rng.integers(1, len(scans))]] + _JPEG_END


def _few_rows(data: bytes, _other: bytes, _rng: np.random.Generator) -> bytes | None:
    if not data.startswith(b"\x89PNG"):
        return None
    start = data.index(b"IDAT") - 4
    rows = zlib.decompress(b"".join(body for name, body in read_chunks(data) if name == b"IDAT"))
    return data[:start] + write_chunk(b"IDAT", zlib.compress(rows[: len(rows) // 4])) + _PNG_END


def _half_zeroed(data: bytes, _other: bytes, _rng: np.random.Generator) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def _half_zeroed_and_ended(data: bytes, _other: bytes, _rng: np.random.Generator) -> bytes:
    end = 12 if data.startswith(b"\x89PNG") else 2
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2 - end) + data[-end:]


def _block_zeroed(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    start = int(len(data) * rng.uniform(0.3, 0.8))
    return data[:start] + bytes(min(512, len(data) - start)) + data[start + 512 :]


def _spliced(data: bytes, other: bytes, _rng: np.random.Generator) -> bytes:
    return data[: len(data) // 2] + other[len(other) // 2 :]


def _flipped(low: float, high: float, data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    damaged[int(rng.uniform(low, high))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def _header_bit(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    scan = data.find(b"\xff\xda")
    return _flipped(0, scan if data.startswith(b"\xff\xd8") else 33, data, rng)


def _data_bit(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return _flipped(max(33, len(data) * 0.3), len(data) - 16, data, rng)


DAMAGES: dict[str, Callable[[bytes, bytes, np.random.Generator], bytes | None]] = {
    "cut": _cut,
    "cut, end mark and newline behind": _cut_and_ended,
    "cut between two scans, end mark": _between_scans,
    "a quarter of the rows, all checksums right": _few_rows,
    "second half zeroed": _half_zeroed,
    "second half zeroed but for its end": _half_zeroed_and_ended,
    "512 bytes zeroed": _block_zeroed,
    "second half of another picture": _spliced,
    "a bit flipped in the header": _header_bit,
    "a bit flipped in the data": _data_bit,
}
"""Each takes a file, another one of the same format, and a generator; None where the format knows no such damage."""
