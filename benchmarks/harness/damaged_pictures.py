"""Pictures that are damaged so that their end looks right: a careless decoder paints what is missing."""

import struct
import zlib

from semsim.images.png_chunks import write_chunk


def damages(data: bytes) -> list[bytes]:
    """A whole PNG, JPEG or WebP in several states; each must be refused as cut or as corrupt."""
    half = data[: len(data) // 2]
    if data.startswith(b"\xff\xd8"):
        return [half + end for end in (b"\xff\xd9", b"\xff\xd9\n", b"\xff\xd9\0", b"\xff\xd9\r\n", b"")]
    if data.startswith(b"RIFF"):
        return [half, b"RIFF" + struct.pack("<I", len(half) - 8) + half[8:]]
    at = data.index(b"IDAT")
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    rows = zlib.decompress(data[at + 4 : end])
    few = data[: at - 4] + write_chunk(b"IDAT", zlib.compress(rows[: len(rows) // 4])) + data[end + 4 :]
    return [half, few, data[:end] + bytes(4) + data[end + 4 :], data[: at + 8] + bytes(end - at - 8) + data[end:]]


def with_metadata(png: bytes, size: int) -> bytes:
    """The PNG with some bytes of text behind its header, as image generators write them."""
    return png[:33] + write_chunk(b"tEXt", b"prompt\0" + b"x" * size) + png[33:]
