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
from semsim.images.vp8 import read_key_frame
from semsim.images.webp_chunks import picture_chunks, wrap

_UNUSED = 8
"""Encoders leave at most 4 bytes unused at the end of the data (measured); a decoder reads 1 to 2 in advance."""
_PAYLOAD = {b"VP8L": 5, b"ALPH": 1}
"""The bytes of the headers of lossless data."""
_ERRORS = (OSError, SyntaxError, ValueError, EOFError, MemoryError)


def decode_webp(data: bytes, limits: DecodeLimits) -> NDArray[np.uint8]:
    """Decode a WebP file of one frame to RGB ``(H, W, 3)``, upright, transparency over white.

    Raises:
        InvalidImage: one subclass for each way in which the file cannot be used.
    """
    chunks = picture_chunks(data)
    canvas = chunks.get(b"VP8X")
    if canvas is not None and len(canvas) >= 10:
        limits.require_size(*(1 + int.from_bytes(canvas[start : start + 3], "little") for start in (4, 7)))
    shortened = _shortened(chunks, limits)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            limits.require_size(image.width, image.height)
            has_metadata = "exif" in image.info or "xmp" in image.info
            pixels = rgb_on_white(image)
    except _ERRORS as error:
        raise CorruptImage(f"expected a valid WebP file, got a damaged one ({type(error).__name__})") from None
    if any(_can_be_decoded(wrap(chunks | {name: body})) for name, body in shortened.items()):
        raise CorruptImage("expected a WebP file whose data are used up by its picture, got one with data left over")
    return turn_upright(pixels, read_orientation(data, ImageFormat.WEBP)) if has_metadata else pixels


def _shortened(chunks: dict[bytes, bytes], limits: DecodeLimits) -> dict[bytes, bytes]:
    """Each chunk of coded data that is long enough, without its last bytes.

    Raises:
        InvalidImage: a header is wrong, or the picture is too large.
    """
    shortened: dict[bytes, bytes] = {}
    if b"VP8 " in chunks:
        body = chunks[b"VP8 "]
        frame = read_key_frame(body)
        limits.require_size(frame.width, frame.height)
        shortened[b"VP8 "] = body[: frame.last_used - _UNUSED]
    else:
        body = chunks[b"VP8L"]
        if len(body) < 5 or body[0] != 0x2F:
            raise CorruptImage("expected a lossless picture in a WebP file, got another one")
        size = int.from_bytes(body[1:5], "little")
        limits.require_size(1 + (size & 0x3FFF), 1 + (size >> 14 & 0x3FFF))
        shortened[b"VP8L"] = body[:-_UNUSED]
    alpha = chunks.get(b"ALPH", b"")
    if alpha and alpha[0] & 3 and b"VP8 " in chunks:
        shortened[b"ALPH"] = alpha[:-_UNUSED]
    return {name: body for name, body in shortened.items() if len(body) > _PAYLOAD.get(name, 0)}


def _can_be_decoded(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            image.load()
    except _ERRORS:
        return False
    return True
