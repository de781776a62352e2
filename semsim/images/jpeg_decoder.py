"""The decoding of JPEG files, in which a warning of the library counts.

libjpeg paints what is missing grey, goes on after bad codes, and only warns; Pillow hides the warnings. The pixels come
from libjpeg-turbo through simplejpeg, which raises them, and are those of Pillow, bit for bit.
"""

import io
import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import CorruptImage, TruncatedImage
from semsim.images.colour_profile import profile_in_jpeg, to_srgb
from semsim.images.formats import ImageFormat
from semsim.images.jpeg_frame import JpegFrame, read_frame, require_all_scans, require_no_gap
from semsim.images.jpeg_markers import APP0, APP1, APP14, COM, EOI, JpegSegment, first_picture
from semsim.images.limits import DecodeLimits
from semsim.images.on_white import rgb_on_white
from semsim.images.orientation import read_orientation, turn_upright

_CUT = re.compile(r"[Pp]remature end|marker 0xd9 instead")
_PADDING = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MOST_PADDING = 16
_UNUSUAL_SAMPLING = "subsampling"
_FILLER = bytes(64) + bytes(range(1, 255))
"""Entropy-coded data of no meaning. It holds no 0xff, which would begin a marker."""


def decode_jpeg(data: bytes, limits: DecodeLimits) -> NDArray[np.uint8]:
    """Decode the first picture of a JPEG file to RGB ``(H, W, 3)``, upright, in the colours of sRGB.

    Raises:
        InvalidImage: one subclass for each way in which the file cannot be used.
    """
    segments = list(first_picture(data))
    frame = read_frame(data, segments)
    limits.require_size(frame.width, frame.height)
    require_all_scans(data, segments, frame)
    require_no_gap(data, segments, frame)
    profile = profile_in_jpeg(data, segments)
    if profile is not None:
        limits.require_profile(len(profile))
    picture = data[: segments[-1].end]
    pixels = _decode_whole(picture, segments, frame)
    if not frame.is_huffman:
        _require_used_up(picture, pixels, partial(_decode_by_turbo, frame=frame, strict=False))
    pixels = to_srgb(pixels, profile)
    if any(segment.marker == APP1 for segment in segments):  # EXIF and XMP
        return turn_upright(pixels, read_orientation(data, ImageFormat.JPEG))
    return pixels


def _decode_whole(data: bytes, segments: Sequence[JpegSegment], frame: JpegFrame) -> NDArray[np.uint8]:
    try:
        return _decode_by_turbo(data, frame)
    except ValueError as error:
        if _UNUSUAL_SAMPLING in str(error):
            pixels = _decode_by_pillow(data)
            _require_used_up(data, pixels, _decode_by_pillow)
            return pixels
        warning = str(error)
    # Junk between the segments and odd metadata give warnings, too: what is left without them must give none.
    plain = _without_oddities(data, segments)
    padding = _PADDING.search(warning)
    count = int(padding[1]) if padding else 0
    if 0 < count <= _MOST_PADDING and plain[-2 - count : -2] == bytes(count):
        plain = plain[: -2 - count] + plain[-2:]
    try:
        return _decode_by_turbo(plain, frame)
    except ValueError as error:
        if _CUT.search(str(error)):
            raise TruncatedImage(f"expected a complete JPEG file, got one with missing data ({error})") from None
        raise CorruptImage(f"expected a valid JPEG file, got a damaged one ({error})") from None


def _decode_by_turbo(data: bytes, frame: JpegFrame, *, strict: bool = True) -> NDArray[np.uint8]:
    # The buffer keeps libjpeg from allocating for another size than the one that was checked.
    buffer = np.empty((frame.height, frame.width, 3), dtype=np.uint8)
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", strict=strict, buffer=buffer)
    if pixels.shape != buffer.shape:
        raise ValueError("two sizes")
    return buffer


def _without_oddities(data: bytes, segments: Sequence[JpegSegment]) -> bytes:
    """The picture without metadata and without what stands between its segments; the same pixels."""
    parts = [b"\xff\xd8"]
    for segment in segments:
        kept = data[segment.start : segment.end]
        if segment.marker == APP0 and kept.startswith(b"JFIF\0"):
            kept = kept[:5] + b"\1\1" + kept[7:]  # a version that libjpeg knows
        elif segment.marker == APP14 and kept.startswith(b"Adobe") and len(kept) == 12 and kept[11] > 2:
            kept = kept[:11] + b"\1"  # libjpeg takes unknown transforms of three channels for YCbCr
        elif segment.marker == COM or (0xE0 <= segment.marker < 0xF0 and segment.marker not in (APP0, APP14)):
            continue
        length = b"" if segment.marker == EOI else (segment.stop - segment.start + 2).to_bytes(2, "big")
        parts.append(bytes((0xFF, segment.marker)) + length + kept)
    return b"".join(parts)


def _require_used_up(data: bytes, pixels: NDArray[np.uint8], decoder: Callable[[bytes], NDArray[np.uint8]]) -> None:
    """Refuse a picture that changes where bytes are put before its end mark: its decoder still waited for data.

    This finds cuts alone. It stands in for the warnings where there are none. Zeros come first, since encoders may
    leave out those at the end of arithmetic data.
    """
    try:
        longer = decoder(data[:-2] + _FILLER + data[-2:])
    except ValueError as error:
        raise CorruptImage(f"expected a valid JPEG file, got a damaged one ({error})") from None
    if not np.array_equal(longer, pixels):
        raise TruncatedImage("expected a complete JPEG file, got one whose end mark stands too early")


def _decode_by_pillow(data: bytes) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return rgb_on_white(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise CorruptImage(f"expected a valid JPEG file, got a damaged one ({type(error).__name__})") from None
