"""Images as PNG files, the same bytes wherever one is written."""

import io

from PIL import Image

from semsim.images import RGBImage


def encode_png(image: RGBImage) -> bytes:
    """The PNG file of an image ``(H, W, 3)``."""
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "PNG", optimize=True)
    return sink.getvalue()
