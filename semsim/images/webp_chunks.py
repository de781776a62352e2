"""The chunks of a WebP file (RFC 9649) that hold its picture."""

from collections.abc import Iterator

from semsim.exceptions import AnimatedImage, CorruptImage, TruncatedImage

_MOST_CHUNKS = 1024
"""A still picture takes six chunks at most; an animation, which is refused, one a frame."""
_FRAME_HEADER = 16
"""The bytes of an animation's frame before its chunks."""


def picture_chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks ``VP8X``, ``ALPH`` and one of ``VP8 `` and ``VP8L`` of a WebP file, by name.

    Raises:
        TruncatedImage: the file, or the picture in it, ends early.
        CorruptImage: the sizes of the chunks contradict each other, or there is not one picture, or there are more
            chunks than any still picture has.
        AnimatedImage: there are several frames.
    """
    stop = 8 + int.from_bytes(data[4:8], "little")
    if stop > len(data):
        raise TruncatedImage(f"expected a WebP file of {stop} bytes, got {len(data)}")
    chunks = list(_chunks(data, 12, stop))
    frames = [body for name, body in chunks if name == b"ANMF"]
    if len(frames) > 1:
        raise AnimatedImage(f"expected one frame, got {len(frames)}")
    if frames:
        chunks += _chunks(frames[0], _FRAME_HEADER, len(frames[0]))
    pictures = [name for name, _ in chunks if name in (b"VP8 ", b"VP8L")]
    if not pictures:
        raise TruncatedImage("expected a picture in a WebP file, got none")
    if len(pictures) > 1:
        raise CorruptImage(f"expected one picture in a WebP file, got {len(pictures)}")
    return {name: body for name, body in reversed(chunks) if name in (b"VP8X", b"ALPH", b"VP8 ", b"VP8L")}


def _chunks(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
    count = 0
    while start + 8 <= stop:
        count += 1
        if count > _MOST_CHUNKS:
            raise CorruptImage(f"expected at most {_MOST_CHUNKS} chunks in a WebP file, got more")
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        end = start + 8 + size
        if end > stop:
            raise TruncatedImage(f"expected {size} bytes in a chunk of a WebP file, got {stop - start - 8}")
        yield name, data[start + 8 : end]
        start = end + size % 2


def wrap(name: bytes, body: bytes) -> bytes:
    """A WebP file of one chunk."""
    content = b"WEBP" + name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
    return b"RIFF" + len(content).to_bytes(4, "little") + content
