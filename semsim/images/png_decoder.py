"""The decoding of PNG files, in which all checksums are verified and all rows must be there.

Pillow does not look at the checksums of the pixels, paints missing rows black, and fails on large metadata. It
is given a file that holds the rows, inflated and counted here, and the chunks that change their colours alone. The rows
of small RGB pictures are put together by libspng, in a third of the time.
"""

import io

import numpy as np
import pyspng
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import AnimatedImage, CorruptImage, UnsupportedFormat
from semsim.images.colour_profile import profile_in_png, to_srgb
from semsim.images.formats import ImageFormat
from semsim.images.limits import DecodeLimits
from semsim.images.on_white import rgb_on_white
from semsim.images.orientation import read_orientation, turn_upright
from semsim.images.png_chunks import SIGNATURE, read_chunks, write_chunk
from semsim.images.png_rows import PngHeader, inflate_rows, read_header, store

_RGB = 2
_TRANSPARENT = b"tRNS"
_AT_ONCE_PIXELS = 2**18
"""The pixels that libspng takes a millisecond for, in which no other thread of the process goes on."""
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_KEYWORDS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
_MOST_METADATA = 2**20
_ANCILLARY = 0x20
"""The bit of a chunk's first letter that says that decoders may pass over the chunk."""


def decode_png(data: bytes, limits: DecodeLimits) -> NDArray[np.uint8]:
    """Decode a PNG file to RGB ``(H, W, 3)``, upright, transparency over white.

    Raises:
        InvalidImage: one subclass for each way in which the file cannot be used.
    """
    chunks = list(read_chunks(data))
    if chunks[0][0] == b"CgBI":
        raise UnsupportedFormat("expected PNG, JPEG or WebP, got Apple's CgBI")
    if chunks[0][0] != b"IHDR":
        raise CorruptImage("expected a PNG file that begins with its header, got another chunk")
    header = read_header(chunks[0][1], limits)
    _require_known(chunks, header)
    rows = inflate_rows(header, b"".join(body for name, body in chunks if name == b"IDAT"))
    colours = [write_chunk(name, body) for name, body in chunks if name in (b"PLTE", _TRANSPARENT)]
    profile = next((profile_in_png(body) for name, body in chunks if name == b"iCCP"), None)
    if profile is not None:
        limits.require_profile(len(profile))
    pixels = _decode_rows(header, write_chunk(*chunks[0]) + b"".join(colours), rows, profile)
    metadata = [write_chunk(name, body) for name, body in chunks if _may_hold_orientation(name, body)]
    if metadata:
        start = SIGNATURE + write_chunk(*chunks[0]) + b"".join(metadata)
        return turn_upright(pixels, read_orientation(start + write_chunk(b"IDAT", b""), ImageFormat.PNG))
    return pixels


def _require_known(chunks: list[tuple[bytes, memoryview]], header: PngHeader) -> None:
    names = [name for name, _ in chunks]
    unknown = {name for name in names if not name[0] & _ANCILLARY} - _CRITICAL
    if unknown or names.count(b"IHDR") > 1 or names.count(b"PLTE") > 1 or names.count(b"tRNS") > 1:
        raise CorruptImage("expected the chunks of one PNG picture, got an unknown or a second one")
    palette = len(next((body for name, body in chunks if name == b"PLTE"), b""))
    if header.colour == 3 and (palette % 3 or not 0 < palette <= 768):
        raise CorruptImage(f"expected a palette of 1 to 256 colours in a PNG file, got {palette} bytes")
    control = next((body for name, body in chunks if name == b"acTL"), None)
    if control is not None and b"IDAT" in names:
        frames = int.from_bytes(control[:4], "big")
        # Where no frame control stands before it, the picture that still viewers show is no frame of the animation.
        frames += b"fcTL" not in names[: names.index(b"IDAT")]
        if frames > 1:
            raise AnimatedImage(f"expected one frame, got {frames}")


def _decode_rows(header: PngHeader, colours: bytes, rows: bytes, profile: bytes | None) -> NDArray[np.uint8]:
    content = SIGNATURE + colours + write_chunk(b"IDAT", store(rows)) + write_chunk(b"IEND", b"")
    is_plain = header.colour == _RGB and _TRANSPARENT not in colours and not header.is_interlaced
    try:
        if is_plain and header.width * header.height <= _AT_ONCE_PIXELS:
            return to_srgb(pyspng.load(content, format="RGB"), profile)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            transparent = image.info.get("transparency")
            if header.colour == 0 and header.depth in (2, 4) and isinstance(transparent, int):
                # Pillow scales all greys of 2 and 4 bits to 8, but not the grey that the file calls transparent.
                levels = 2**header.depth - 1
                image.info["transparency"] = (transparent & levels) * (255 // levels)
            image.load()
            return rgb_on_white(image, profile)
    except (OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, RuntimeError) as error:
        raise CorruptImage(f"expected a valid PNG file, got damaged colours ({type(error).__name__})") from None


def _may_hold_orientation(name: bytes, body: memoryview) -> bool:
    if len(body) > _MOST_METADATA:
        return False
    return name == b"eXIf" or (name in _TEXTS and bytes(body[:24]).startswith(_KEYWORDS))
