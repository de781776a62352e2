"""JPEG files that were cut, with an end mark put behind the cut."""

import io

from PIL import Image

_END = b"\xff\xd9"
_FILLER = bytes(range(1, 255))
"""Entropy-coded data of no meaning: without 0xff, which begins a marker."""
_GREY = {128, (128, 128, 128)}


def is_cut(data: bytes, image: Image.Image) -> bool:
    """Whether the picture in ``data``, loaded as ``image``, goes on where the end mark stands.

    libjpeg paints what is missing grey (or, of a progressive file, coarse) without a word. A decoder that still
    waits for data reads what is put before the end mark; one that has all of it does not. The second decoding
    is spared most files: the last pixel of a baseline file shows whether anything was painted.
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
