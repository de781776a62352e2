"""The rows of a PNG: inflated once, counted, and wrapped again without compression."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from isal import isal_zlib

from semsim.exceptions import CorruptImage, SixteenBitImage, TruncatedImage
from semsim.images.limits import DecodeLimits

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8), 2: (8,), 3: (1, 2, 4, 8), 4: (8,), 6: (8,)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The first column and row of each pass of an interlaced picture, and its steps over columns and rows."""
_LAST_FILTER = 4
_STORED = 0xFFFF
"""The most bytes of a block of deflate that is not compressed."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The header of a PNG of at most 8 bits a channel."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    depth: int
    """Bits a channel: 1, 2, 4 or 8."""
    colour: int
    """The colour type: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA."""
    is_interlaced: bool
    """The rows come in the seven passes of Adam7."""

    def passes(self) -> Iterator[tuple[int, int]]:
        """Yield the number of rows of each pass and the bytes of a row, its filter byte included."""
        grid = _ADAM7 if self.is_interlaced else ((0, 0, 1, 1),)
        for column, row, across, down in grid:
            columns = -(-(self.width - column) // across)
            rows = -(-(self.height - row) // down)
            if columns > 0 and rows > 0:
                yield rows, 1 + (columns * self.depth * _CHANNELS[self.colour] + 7) // 8


def read_header(body: memoryview, limits: DecodeLimits) -> PngHeader:
    """The header that the body of an IHDR chunk describes.

    Raises:
        SixteenBitImage: the picture has 16 bits a channel.
        EmptyImage: it has no pixels.
        TooManyPixels: it has more pixels than ``limits`` allow.
        CorruptImage: a value is none that the specification knows.
    """
    if len(body) != 13:
        raise CorruptImage(f"expected 13 bytes in the header of a PNG file, got {len(body)}")
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    depth, colour, compression, filtering, interlacing = body[8:]
    if depth == 16 and colour in _CHANNELS:
        raise SixteenBitImage("expected 8 bits a channel, got a 16-bit PNG")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlacing > 1:
        raise CorruptImage(f"expected a known kind of PNG file, got depth {depth} and colour type {colour}")
    limits.require_size(width, height)
    return PngHeader(width, height, depth, colour, bool(interlacing))


def inflate_rows(header: PngHeader, compressed: bytes) -> bytes:
    """The filtered rows of a picture: no more bytes are inflated than its size asks for, and one.

    Raises:
        TruncatedImage: rows are missing, or the stream has no end.
        CorruptImage: the stream is broken, or holds more rows, or rows of unknown filters.
    """
    passes = list(header.passes())
    size = sum(rows * stride for rows, stride in passes)
    stream = isal_zlib.decompressobj()
    try:
        inflated = stream.decompress(compressed, size + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub calls the class an instance
        raise CorruptImage(f"expected a valid PNG file, got one that cannot be inflated ({error})") from None
    if len(inflated) > size:
        raise CorruptImage(f"expected {size} bytes of rows in a PNG file, got more")
    if len(inflated) < size or not stream.eof:
        raise TruncatedImage(f"expected {size} bytes of rows in a PNG file, got {len(inflated)}")
    start = 0
    for rows, stride in passes:
        filters = np.frombuffer(inflated, dtype=np.uint8)[start : start + rows * stride : stride]
        if filters.max() > _LAST_FILTER:
            raise CorruptImage(f"expected filters up to {_LAST_FILTER} in a PNG file, got {filters.max()}")
        start += rows * stride
    return inflated


def store(inflated: bytes) -> bytes:
    """A stream of zlib that holds ``inflated`` as it is, so that a decoder need not inflate it again."""
    parts: list[bytes | memoryview] = [b"\x78\x01"]
    view = memoryview(inflated)
    for start in range(0, len(view), _STORED):
        block = view[start : start + _STORED]
        last = start + _STORED >= len(view)
        parts += [bytes((last,)), len(block).to_bytes(2, "little"), (len(block) ^ _STORED).to_bytes(2, "little"), block]
    parts.append(isal_zlib.adler32(view).to_bytes(4, "big"))
    return b"".join(parts)
