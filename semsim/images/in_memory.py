"""Images that other libraries hold in memory: those of Pillow, and tensors, of which no library is imported."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semsim.exceptions import InvalidArray
from semsim.images.limits import DecodeLimits
from semsim.images.on_white import rgb_on_white

_CHANNELS = (1, 3, 4)
_PILLOW_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"})
"""The modes of Pillow with 8 bits a channel and no ink."""


@runtime_checkable
class TensorLike(Protocol):
    """A tensor of torch, or of a library that calls its methods alike."""

    def detach(self) -> Any:
        """The same values without a gradient."""

    def cpu(self) -> Any:
        """The same values in the memory of the processor."""


def pixels_of_pillow(image: Image.Image, limits: DecodeLimits) -> NDArray[np.uint8]:
    """The pixels uint8 ``(H, W, 3)`` of an image of Pillow as it is in memory, in the colours of sRGB.

    An orientation in its metadata is not applied: nothing tells whether it was applied already.

    Raises:
        InvalidArray: the image has no 8 bits a channel, or its file cannot be read.
        TooManyPixels: it is over the limit.
        CorruptImage: its colour profile cannot be read.
    """
    if image.mode not in _PILLOW_MODES:
        raise InvalidArray(
            f"expected an image of Pillow with 8 bits a channel in RGB or grey, got mode {image.mode}; "
            'image.convert("RGB") makes one of it'
        )
    limits.require_size(*image.size)
    try:
        return rgb_on_white(image, image.info.get("icc_profile"))
    except OSError as error:  # Pillow reads a file when its pixels are asked for
        raise InvalidArray(f"expected an image of Pillow that can be read, got {error}") from None


def array_of_tensor(tensor: TensorLike) -> NDArray[Any]:
    """The values of a tensor ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` as an array ``(H, W[, C])``.

    A tensor of three dimensions has its channels first unless it can only have them last: no image has a side of 4
    pixels.

    Raises:
        InvalidArray: NumPy cannot view the tensor.
    """
    try:
        array = np.asarray(tensor.detach().cpu().numpy())
    except (TypeError, RuntimeError, ValueError, AttributeError) as error:
        raise InvalidArray(
            f"expected a dense uint8 tensor, got {type(tensor).__name__}: {error}; for float tensors use "
            "semsim.images.images_from_tensor"
        ) from None
    if array.ndim == 3 and array.shape[0] in _CHANNELS and array.shape[2] not in _CHANNELS:
        return array.transpose(1, 2, 0)
    return array
