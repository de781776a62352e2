"""The work on a picture is bounded by its bytes and pixels: what asks for more is refused before it is done."""

import struct
import time

import numpy as np
import pytest

from semsim.exceptions import CorruptImage
from semsim.images import decode
from tests.encoded import encode, picture, png_chunk
from tests.semsim.images.damaging import JPEG_END, scans

MOST_SECONDS = 0.3
"""The processor time of this thread. Each bomb below took 1.4 to 7 s before it was refused, those of scans minutes."""


def bombs() -> dict[str, bytes]:
    """Small pictures that ask for seconds of work."""
    png, jpeg, webp = (encode(picture(64, 64), kind) for kind in ("PNG", "JPEG", "WEBP"))
    progressive = encode(np.full((2048, 2048, 3), 99, dtype=np.uint8), "JPEG", progressive=True)
    last = progressive[scans(progressive)[-1] : -2]
    empty_tables = b"\xff\xc4" + struct.pack(">H", 2 + 17 * 3800) + (b"\x10" + bytes(16)) * 3800
    chunks = webp[12:] + b"abcd\0\0\0\0" * 1_500_000
    return {
        "empty scans": progressive[:-2] + last * 5000 + JPEG_END,
        "scans that libjpeg would warn of": progressive[:-2] + last * 90 + JPEG_END,
        "empty segments": jpeg[:2] + b"\xff\xfe\0\2" * 2_000_000 + jpeg[2:],
        "restart marks": jpeg[:2] + b"\xff\xd0" * 4_000_000 + jpeg[2:],
        "tables of codes": jpeg[:2] + empty_tables * 240 + jpeg[2:],
        "PNG chunks": png[:33] + png_chunk(b"tEXt", b"") * 1_000_000 + png[33:],
        "WebP chunks": b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks,
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_the_work(name: str) -> None:
    """Scans, segments, chunks and tables by the thousand cost nothing."""
    seconds = []
    for _ in range(3):  # the least of them is the work; a busy machine adds to some
        began = time.thread_time()
        with pytest.raises(CorruptImage, match="expected at most"):
            decode(BOMBS[name])
        seconds.append(time.thread_time() - began)
    assert min(seconds) < MOST_SECONDS


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_pixels_in_many_chunks_are_a_picture(size: int) -> None:
    """A PNG may bring its pixels byte by byte."""
    data = encode(picture(64, 64))
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start], "big")
    pixels = data[start + 4 : start + 4 + length]
    parts = b"".join(png_chunk(b"IDAT", pixels[i : i + size]) for i in range(0, length, size))
    whole = data[: start - 4] + parts + data[start + 8 + length :]
    np.testing.assert_array_equal(decode(whole), decode(data))


def test_a_profile_of_many_segments_is_no_bomb() -> None:
    """The largest profile that JPEG can hold takes 255 segments."""
    data = encode(picture(64, 64), "JPEG")
    segment = b"\xff\xe2" + (2**16 - 1).to_bytes(2, "big") + bytes(2**16 - 3)
    np.testing.assert_array_equal(decode(data[:2] + segment * 255 + data[2:]), decode(data))
