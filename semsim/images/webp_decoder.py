"""The decoding of WebP files, in which the coded data must be used up.

A WebP file has no checksums, and libwebp decodes any bytes to some picture. But it says where data run out, and the
data of a damaged picture last for more or fewer pixels than those of the whole one. So a file whose picture is the same
without its last bytes is refused: in a whole one they are needed. The end of lossy data says more: they are the lowest
number that gives the picture, and where a lower one gives the same, they are not an encoder's.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import CorruptImage
from semsim.images.formats import ImageFormat
from semsim.images.limits import DecodeLimits
from semsim.images.on_white import rgb_on_white
from semsim.images.orientation import read_orientation, turn_upright
from semsim.images.vp8 import KeyFrame, lowered, read_key_frame, with_whole_blocks
from semsim.images.webp_chunks import picture_chunks, wrap

_UNUSED = {b"VP8 ": 5, b"VP8L": 4}
"""The bytes that are taken away. Encoders leave at most 4 unused in lossy data, and 2 in lossless ones (measured)."""
_LOSSLESS_HEADER = 5
"""The bytes of the signature, the size and the version of a lossless picture."""
_ERRORS = (OSError, SyntaxError, ValueError, EOFError, MemoryError)


def decode_webp(data: bytes, limits: DecodeLimits) -> NDArray[np.uint8]:
    """Decode a WebP file of one frame to RGB ``(H, W, 3)``, upright, transparency over white.

    Raises:
        InvalidImage: one subclass for each way in which the file cannot be used.
    """
    chunks = picture_chunks(data)
    streams = _coded_streams(chunks, limits)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            limits.require_size(image.width, image.height)
            has_metadata = "exif" in image.info or "xmp" in image.info
            profile = image.info.get("icc_profile")
            if profile is not None:
                limits.require_profile(len(profile))
            pixels = rgb_on_white(image, profile)
    except _ERRORS as error:
        raise CorruptImage(f"expected a valid WebP file, got a damaged one ({type(error).__name__})") from None
    for stream in streams:
        if not stream.is_used_up():
            raise CorruptImage("expected a WebP file whose picture needs all its data, got one with data left over")
    return turn_upright(pixels, read_orientation(data, ImageFormat.WEBP)) if has_metadata else pixels


@dataclass(frozen=True, slots=True)
class _Stream:
    """A chunk of a still picture, up to the last byte in use."""

    name: bytes
    body: bytes
    last_start: int | None = None
    """The start of the last partition of lossy data."""

    def is_used_up(self) -> bool:
        """False where the picture is the same with less data."""
        unused = _UNUSED[self.name]
        lower = None if self.last_start is None else lowered(self.body, self.last_start)
        if lower is not None and self._gives_the_same(lower):
            return False
        # Zeros at the end do not change what number lossy data are, and there may be any count of them.
        by_length = lower is None or self.body.endswith(bytes(unused))
        is_longer = len(self.body) > unused + _LOSSLESS_HEADER
        return not (by_length and is_longer and self._gives_the_same(self.body[:-unused]))

    def _gives_the_same(self, body: bytes) -> bool:
        """True where other data give the same picture; libwebp reads the last pixel beyond the end of lossless data."""
        if (second := _decoded(self.name, body)) is None:
            return False
        whole = self.body
        if self.last_start is not None:
            whole, second = with_whole_blocks(whole), _decoded(self.name, with_whole_blocks(body))
        first = _decoded(self.name, whole)
        return first is None or second is None or np.array_equal(first, second)


def _coded_streams(chunks: dict[bytes, bytes], limits: DecodeLimits) -> list[_Stream]:
    """The streams of coded data.

    Raises:
        InvalidImage: a header is wrong, the picture is too large, or its transparency cannot be decoded.
    """
    canvas = chunks.get(b"VP8X", b"")
    if len(canvas) >= 10:
        limits.require_size(*(1 + int.from_bytes(canvas[start : start + 3], "little") for start in (4, 7)))
    if b"VP8L" in chunks:
        body = chunks[b"VP8L"]
        if len(body) < _LOSSLESS_HEADER or body[0] != 0x2F:
            raise CorruptImage("expected a lossless picture in a WebP file, got another one")
        size = int.from_bytes(body[1:5], "little")
        width, height = 1 + (size & 0x3FFF), 1 + (size >> 14 & 0x3FFF)
        limits.require_size(width, height)
        limits.require_lossless(width, height)
        return [_Stream(b"VP8L", body)]
    frame = read_key_frame(chunks[b"VP8 "])
    limits.require_size(frame.width, frame.height)
    if b"ALPH" in chunks:
        limits.require_lossless(frame.width, frame.height)
    streams = [_Stream(b"VP8 ", chunks[b"VP8 "][: frame.last_used], frame.last_start)]
    return streams + (_transparency(chunks[b"ALPH"], frame) if b"ALPH" in chunks else [])


def _transparency(chunk: bytes, frame: KeyFrame) -> list[_Stream]:
    """The transparency of a lossy picture as a lossless picture of its own: libwebp passes over errors in it."""
    compression = chunk[0] & 3 if chunk else None
    if compression == 0 and len(chunk) > frame.width * frame.height:
        return []
    size = (frame.width - 1) | (frame.height - 1) << 14
    body = b"\x2f" + size.to_bytes(4, "little") + chunk[1:]
    if compression != 1 or _decoded(b"VP8L", body) is None:
        raise CorruptImage("expected the transparency of a whole WebP file, got a damaged one")
    return [_Stream(b"VP8L", body)]


def _decoded(name: bytes, body: bytes) -> NDArray[np.uint8] | None:
    """The pixels of a chunk; ``None`` where its data run out."""
    try:
        with Image.open(io.BytesIO(wrap(name, body)), formats=("WEBP",)) as image:
            return np.asarray(image)
    except _ERRORS:
        return None
