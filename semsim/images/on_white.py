"""Images of Pillow to RGB pixels, transparency over white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import EmptyImage
from semsim.images.colour_profile import to_srgb

_FAINT = 16
"""A picture all of whose pixels are nearer to white than this, in levels, shows nothing of what it may hold."""


def rgb_on_white(image: Image.Image, profile: bytes | None = None) -> NDArray[np.uint8]:
    """The pixels uint8 ``(H, W, 3)`` of an image of any mode; what is transparent shows white, as on a page.

    Its colours are those of an ICC ``profile``, or of sRGB where there is none.

    Raises:
        EmptyImage: transparency leaves nothing to see. White would score as a safe reconstruction of anything.
        CorruptImage: the profile cannot be read.
    """
    if not image.has_transparency_data:
        return to_srgb(np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8), profile)
    rgba = image.convert("RGBA")
    if profile:
        alpha = rgba.getchannel("A")
        rgba = Image.fromarray(to_srgb(np.array(rgba.convert("RGB"), dtype=np.uint8), profile))
        rgba.putalpha(alpha)
    canvas = Image.new("RGBA", image.size, (255, 255, 255, 255))
    canvas.alpha_composite(rgba)
    pixels = np.array(canvas.convert("RGB"), dtype=np.uint8)
    if pixels.min() > 255 - _FAINT and rgba.getchannel("A").getextrema() != (255, 255):
        raise EmptyImage("expected a picture of which something is visible on white, got a transparent one")
    return pixels
