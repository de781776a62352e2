"""The enlargement of small images for annotators."""

import io

from PIL import Image


def enlarged(png: bytes, side: int, *, smooth: bool) -> Image.Image:
    """The image of a PNG file, RGB, ``side`` pixels a side: bicubic if ``smooth``, else by repeating pixels."""
    rule = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return Image.open(io.BytesIO(png)).convert("RGB").resize((side, side), rule)
