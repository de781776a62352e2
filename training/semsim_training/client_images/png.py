"""Images as PNG files, the same bytes wherever one is written."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """The PNG file of an image ``(H, W, 3)``, RGB, or ``(H, W, 1)``, which is a grey picture."""
    sink = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(sink, "PNG", optimize=True)
    return sink.getvalue()
