"""The client's images as an audit takes them: exactly those that the network took, before normalisation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidArray
from semsim_training.client_images.network_inputs import Inputs


def audited_images(images: Sequence[Any] | NDArray[np.uint8], inputs: Inputs) -> NDArray[np.uint8]:
    """The images as one array, uint8 ``(N, H, W, C)`` of the network's size and channels.

    Raises:
        InvalidArray: there is no image, or one is of another type, size or number of channels. An image of another
            size would have to be resized, and the audit cannot know how the client did it.
    """
    channels, height, width = inputs.shape
    expected = f"expected uint8 images of {height} x {width} pixels with {channels} channels"
    if not isinstance(images, Sequence | np.ndarray) or isinstance(images, str | bytes) or len(images) == 0:
        got = "none" if isinstance(images, Sequence | np.ndarray) and len(images) == 0 else type(images).__name__
        raise InvalidArray(f"{expected}, got {got}")
    listed = []
    for index, image in enumerate(images):
        array = np.asarray(image)
        array = array[..., None] if array.ndim == 2 and channels == 1 else array
        if array.dtype != np.uint8 or array.shape != (height, width, channels):
            raise InvalidArray(f"{expected}, got {array.dtype} of shape {array.shape} as image {index}")
        listed.append(array)
    return np.stack(listed)
