"""The detection of JPEG files that were cut and have an end mark behind the cut."""

import io

from PIL import Image

_END = b"\xff\xd9"
_FILLER = bytes(range(1, 255))
"""Entropy-coded data of no meaning. It holds no 0xff, which would begin a marker."""
_GREY = {128, (128, 128, 128)}


def is_cut(data: bytes, image: Image.Image) -> bool:
    """True where the picture in ``data``, decoded as ``image``, would go on where its end mark stands.

    libjpeg paints the missing part grey, or coarse in a progressive file, and says nothing. A decoder that still
    waits for data reads bytes that are put before the end mark; one that has all data does not, and gives the same
    picture. Most files need no second decoding: a baseline file whose last pixel is not grey had nothing painted.
    A progressive file that ends right after one of its scans is a valid, coarser picture, and passes.
    """
    if not data.endswith(_END):
        return False
    corner = image.getpixel((image.width - 1, image.height - 1))
    if corner not in _GREY and not image.info.get("progressive"):
        return False
    filled = data[: -len(_END)] + _FILLER + _END
    with Image.open(io.BytesIO(filled), formats=("JPEG",)) as longer:
        return longer.tobytes() != image.tobytes()
