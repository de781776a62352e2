"""Files of pictures, whole and damaged in ways that a seed of hypothesis says."""

import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.encoded import encode, picture, raw_png

HEIGHT, WIDTH = 40, 56
DRAWN = picture(HEIGHT, WIDTH, seed=3)
"""The picture that all whole files show, ``(40, 56, 3)``."""
_NOISY = np.clip(DRAWN + np.random.default_rng(0).normal(0, 12, DRAWN.shape), 0, 255).astype(np.uint8)


def _png_of(array: NDArray[np.uint8], chunk: int) -> bytes:
    """A PNG with many IDAT chunks of some bytes."""
    whole = encode(array)
    at, parts, pixels = 8, [], b""
    while at < len(whole):
        size, kind = struct.unpack_from(">I4s", whole, at)
        body = whole[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            pixels += body
        else:
            parts.append((kind, body))
        at += size + 12
    head, *others = parts
    cut = [(b"IDAT", pixels[i : i + chunk]) for i in range(0, len(pixels), chunk)]
    return whole[:8] + b"".join(png_part(*part) for part in (head, *cut, *others))


def png_part(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


_SOFT, _GREY = Image.fromarray(DRAWN), Image.fromarray(DRAWN).convert("L")
_ALPHA = np.full((HEIGHT, WIDTH), 255, np.uint8)
_ALPHA[::7, ::5] = 250  # Pillow leaves out the transparency of a picture that has none
WHOLE: dict[str, bytes] = {
    "png": encode(_NOISY),
    "png smooth": encode(DRAWN),
    "png grey": encode(_GREY),
    "png palette": encode(_SOFT.quantize(64)),
    "png alpha": encode(_SOFT.convert("RGBA")),
    "png parts": _png_of(_NOISY, 1000),
    "png stored": encode(_NOISY, compress_level=0),
    "jpeg": encode(_NOISY, "JPEG", quality=90),
    "jpeg smooth": encode(DRAWN, "JPEG", quality=75),
    "jpeg full": encode(_NOISY, "JPEG", quality=95, subsampling=0),
    "jpeg grey": encode(_GREY, "JPEG", quality=90),
    "jpeg progressive": encode(_NOISY, "JPEG", quality=85, progressive=True),
    "jpeg restarts": encode(_NOISY, "JPEG", quality=85, restart_marker_blocks=2),
    "jpeg comment": encode(_NOISY, "JPEG", quality=85, comment=b"c" * 300),
    "webp": encode(_NOISY, "WEBP", quality=85),
    "webp lossless": encode(_NOISY, "WEBP", lossless=True),
    "webp smooth": encode(_SOFT, "WEBP", quality=85),
    "webp alpha": encode(np.dstack([_NOISY, _ALPHA]), "WEBP", quality=85),
    "webp xmp": encode(_NOISY, "WEBP", quality=85, xmp=b"x" * 300),
}
"""Whole files by name; the format is the first word."""
BOMB = raw_png(30_000, 30_000, data=bytes(1000))
_TAILS = (
    b"",
    b"\xff\xd9",
    b"\xff\xd9\n",
    b"\xff\xd9\0",
    b"\xff\xd9\r\n",
    b"\n",
    bytes(64),
    png_part(b"IEND", b""),
    b"\xff" * 9,
)
_OTHERS = (
    *(
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0+",
        b"\xff\x0a",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"qoif",
    ),
    *(b"P6\n8 8\n255\n", b"DDS ", b"\x93NUMPY", b"<svg xmlns=", b"\x76\x2f\x31\x01", b"%PDF-1.7", b"PK\3\4", b"<!--"),
    *(b"\0\0\0\x1cftyphevc", b"\0\0\1\0", b"8BPS", b"RIFF\x10\0\0\0WAVE", b"\x89PNG", b"\xff\xd8\xff", b"SIMPLE  ="),
    *(b"\0\0\2\0\0\0\0\0\0\0\0\0", b" " * 4000 + b"<", b"<!DOCTYPE " * 500, b"#define " * 500, b"P6\n" + b"#\n" * 2000),
)


class Way(StrEnum):
    """The ways to damage a file."""

    CUT = "cut"
    ZEROED = "zeroed"
    BLANKED = "blanked"
    """Zeroed to the end, as by a download that stopped."""
    FLIPPED = "flipped"
    SPLICED = "spliced"
    DOUBLED = "doubled"
    REMOVED = "removed"
    NUMBER = "number"
    TRAILING = "trailing"
    RESEALED = "resealed"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file, at a share of its length."""

    way: Way
    at: float
    span: int
    value: int
    tail: bytes

    def apply(self, data: bytes) -> bytes:
        """The file after the change."""
        at = min(int(self.at * len(data)), len(data))
        end = len(data) if self.way is Way.BLANKED else at + self.span
        before, inside, after = data[:at], data[at:end], data[end:]
        match self.way:
            case Way.CUT:
                return before + self.tail
            case Way.ZEROED | Way.BLANKED:
                return before + bytes(len(inside)) + after
            case Way.FLIPPED:
                return before + bytes([inside[0] ^ (1 << self.value % 8)]) + inside[1:] + after if inside else data
            case Way.SPLICED:
                other = [*WHOLE.values()][self.value % len(WHOLE)]
                return before + other[len(other) // 3 :][: self.span] + after
            case Way.DOUBLED:
                return before + inside * 2 + after
            case Way.REMOVED:
                return before + after
            case Way.NUMBER:
                return before + self.value.to_bytes(4, "big" if self.span % 2 else "little") + data[at + 4 :]
            case Way.TRAILING:
                return data + self.tail * self.span
            case Way.RESEALED:
                return resealed(data)


def resealed(data: bytes) -> bytes:
    """The PNG with right checksums on all its chunks, so that damage gets past them; another file as it is."""
    if not data.startswith(b"\x89PNG"):
        return data
    at, parts = 8, [data[:8]]
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + size]
        parts += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += size + 12
    return b"".join(parts) + data[at:]


@cache
def edits(*ways: Way) -> st.SearchStrategy[Edit]:
    """Changes of some ways, or of any; many are near the start, where the headers are."""
    return st.builds(
        Edit,
        st.sampled_from(ways or tuple(Way)),
        st.floats(0, 1) | st.floats(0, 0.12) | st.just(0.5),
        st.sampled_from([1, 2, 4, 16, 64, 300, 10_000]),
        st.integers(0, 2**32 - 1) | st.integers(0, 100),
        st.sampled_from(_TAILS),
    )


def changes(*ways: Way, most: int = 3) -> st.SearchStrategy[list[Edit]]:
    """Some changes."""
    return st.lists(edits(*ways), min_size=1, max_size=most)


@cache
def damaged() -> st.SearchStrategy[tuple[str, list[Edit]]]:
    """The name of a whole file, and changes of it."""
    return st.tuples(st.sampled_from(sorted(WHOLE)), changes())


def apply(case: tuple[str, list[Edit]]) -> bytes:
    """The file of a case."""
    data = WHOLE[case[0]]
    for edit in case[1]:
        data = edit.apply(data)
    return data


@cache
def contents() -> st.SearchStrategy[bytes]:
    """Files of any content: damaged pictures, other formats, and noise."""
    others = st.builds(lambda magic, rest: magic + rest * 40, st.sampled_from(_OTHERS), st.binary(max_size=8))
    return damaged().map(apply) | others | st.binary(max_size=60) | st.sampled_from([b"", b"a note\n", BOMB])


def write(path: Path, data: bytes) -> None:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
