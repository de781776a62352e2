"""Images of Pillow to RGB pixels, transparency over white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def rgb_on_white(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels uint8 ``(H, W, 3)`` of an image of any mode; what is transparent shows white, as on a page."""
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (255, 255, 255, 255))
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
