"""The markers of a JPEG, up to the end of its first picture (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from semsim.exceptions import CorruptImage, TruncatedImage

DHT, SOI, EOI, SOS, DNL = 0xC4, 0xD8, 0xD9, 0xDA, 0xDC
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
COM = 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""Starts of frames of every kind: Huffman or arithmetic coding, lossless, hierarchical, and JPEG-LS."""
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_MOST_MARKERS = 1024
"""A profile or other metadata of 16 MiB take 256 segments, and 32 scans with a table each some more."""
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff]")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegSegment:
    """One marker of a JPEG and what belongs to it."""

    marker: int
    """The second byte of the marker."""
    start: int
    """The offset of the parameters, behind marker and length."""
    stop: int
    """The offset behind the parameters."""
    end: int
    """The offset behind the entropy-coded data that follow a start of scan; ``stop`` for all others."""


def first_picture(data: bytes) -> Iterator[JpegSegment]:
    """Yield the segments of the first picture, its end mark included.

    Bytes between two segments are passed over, as all decoders do. A picture that is embedded in a segment, such as a
    thumbnail, is not looked at; nor is anything behind the end mark.

    Raises:
        TruncatedImage: the file ends, or a second picture begins, before the first one's end mark.
        CorruptImage: a segment has no length, or there are more markers than any encoder writes.
    """
    position = 2
    for _ in range(_MOST_MARKERS):
        match = _NEXT_MARKER.search(data, position)
        if match is None:
            raise TruncatedImage(f"expected a complete JPEG file, got one that ends after {len(data)} bytes")
        start, marker = match.end(), data[match.end() - 1]
        if marker == SOI:
            raise TruncatedImage("expected the end mark of the first picture of a JPEG file, got a second picture")
        if marker == EOI:
            yield JpegSegment(EOI, start, start, start)
            return
        if marker in _STANDALONE:
            position = start
            continue
        length = int.from_bytes(data[start : start + 2], "big")
        stop = position = start + length
        if stop > len(data):
            raise TruncatedImage(f"expected a complete JPEG file, got one that ends after {len(data)} bytes")
        if length < 2:
            raise CorruptImage(f"expected segments of at least 2 bytes in a JPEG file, got {length}")
        if marker == SOS:
            scan_end = _END_OF_SCAN.search(data, stop)
            position = len(data) if scan_end is None else scan_end.start()
        yield JpegSegment(marker, start + 2, stop, position)
    raise CorruptImage(f"expected at most {_MOST_MARKERS} markers in a JPEG file, got more")
