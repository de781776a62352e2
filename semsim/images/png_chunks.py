"""The chunks of a PNG (the PNG specification, third edition), each with its checksum."""

from collections.abc import Iterator

from isal import isal_zlib

from semsim.exceptions import CorruptImage, TruncatedImage

_MOST_CHUNKS = 2**14
"""Pixels of 16 MiB take 2048 chunks of the 8 KiB that encoders write. Millions of empty ones take seconds."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and the body of each chunk up to the end mark; what stands behind it is not looked at.

    Raises:
        TruncatedImage: the file ends before its end mark.
        CorruptImage: a checksum is wrong, or there are more chunks than any encoder writes.
    """
    view = memoryview(data)
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        stop = position + 8 + int.from_bytes(view[position : position + 4], "big")
        if stop + 4 > len(data):
            raise TruncatedImage(f"expected a complete PNG file, got one that ends after {len(data)} bytes")
        if isal_zlib.crc32(view[position + 4 : stop]) != int.from_bytes(view[stop : stop + 4], "big"):
            raise CorruptImage("expected a valid PNG file, got one with a wrong checksum")
        name = bytes(view[position + 4 : position + 8])
        yield name, view[position + 8 : stop]
        if name == b"IEND":
            return
        position = stop + 4
    raise CorruptImage(f"expected at most {_MOST_CHUNKS} chunks in a PNG file, got more")


def write_chunk(name: bytes, body: bytes | memoryview) -> bytes:
    """One chunk with its checksum."""
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(name))
    return b"".join((len(body).to_bytes(4, "big"), name, body, checksum.to_bytes(4, "big")))
