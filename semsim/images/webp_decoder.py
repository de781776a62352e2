"""The decoding of WebP files, in which the coded data must be used up.

A WebP file has no checksums, and libwebp decodes any bytes to some picture. But it says where data run out, and the
data of a damaged picture last for more or fewer pixels than those of the whole one. So a file whose picture can still
be decoded without its last bytes is refused: in a whole one they are needed.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import CorruptImage
from semsim.images.formats import ImageFormat
from semsim.images.limits import DecodeLimits
from semsim.images.on_white import rgb_on_white
from semsim.images.orientation import read_orientation, turn_upright
from semsim.images.vp8 import KeyFrame, read_key_frame
from semsim.images.webp_chunks import picture_chunks, wrap

_UNUSED = {b"VP8 ": 8, b"VP8L": 4}
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
            pixels = rgb_on_white(image)
    except _ERRORS as error:
        raise CorruptImage(f"expected a valid WebP file, got a damaged one ({type(error).__name__})") from None
    for name, body in streams:
        if _can_be_decoded(name, body[: -_UNUSED[name]]):
            raise CorruptImage("expected a WebP file whose picture needs all its data, got one with data left over")
    return turn_upright(pixels, read_orientation(data, ImageFormat.WEBP)) if has_metadata else pixels


def _coded_streams(chunks: dict[bytes, bytes], limits: DecodeLimits) -> list[tuple[bytes, bytes]]:
    """The streams of coded data, each as a chunk of a still picture, its name and its body, up to the last byte in use.

    Streams that are too short to be shortened are left out.

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
        limits.require_size(1 + (size & 0x3FFF), 1 + (size >> 14 & 0x3FFF))
        streams = [(b"VP8L", body)]
    else:
        frame = read_key_frame(chunks[b"VP8 "])
        limits.require_size(frame.width, frame.height)
        streams = [(b"VP8 ", chunks[b"VP8 "][: frame.last_used])]
        if b"ALPH" in chunks:
            streams += _transparency(chunks[b"ALPH"], frame)
    return [(name, body) for name, body in streams if len(body) > _UNUSED[name] + _LOSSLESS_HEADER]


def _transparency(chunk: bytes, frame: KeyFrame) -> list[tuple[bytes, bytes]]:
    """The transparency of a lossy picture as a lossless picture of its own: libwebp passes over errors in it."""
    compression = chunk[0] & 3 if chunk else None
    if compression == 0 and len(chunk) > frame.width * frame.height:
        return []
    size = (frame.width - 1) | (frame.height - 1) << 14
    body = b"\x2f" + size.to_bytes(4, "little") + chunk[1:]
    if compression != 1 or not _can_be_decoded(b"VP8L", body):
        raise CorruptImage("expected the transparency of a whole WebP file, got a damaged one")
    return [(b"VP8L", body)]


def _can_be_decoded(name: bytes, body: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(wrap(name, body)), formats=("WEBP",)) as image:
            image.load()
    except _ERRORS:
        return False
    return True
