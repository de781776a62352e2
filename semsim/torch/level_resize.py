"""The levels of images at a network's size, which are those of :mod:`semsim.images.resize`, with a gradient.

Rounding to 8-bit levels has no gradient. Here it passes the gradient on as it comes (the straight-through estimator;
Bengio, Léonard and Courville, arXiv 1308.3432, section 4).
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semsim.exceptions import InvalidTensor
from semsim.images import ResizeFilter, resize_batch

_WEIGHTS = {
    ResizeFilter.BICUBIC: "bicubic",
    ResizeFilter.BILINEAR: "bilinear",
    ResizeFilter.LANCZOS: "bicubic",
    ResizeFilter.NEAREST: "bilinear",
}
"""The filter whose weights the gradient gets, since torch has not all of Pillow's."""


def image_levels(images: Tensor) -> Tensor:
    """The 8-bit levels 0..255, float32 ``(N, 3, H, W)``, of RGB images: uint8, or floats in 0..1, which are rounded.

    Raises:
        InvalidTensor: the shape or the type is another one, or a value is not finite or outside 0..1.
    """
    if images.dim() != 4 or images.shape[1] != 3 or not images.shape[2] * images.shape[3]:
        raise InvalidTensor(f"expected images (N, 3, H, W), got shape {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float()
    if not images.is_floating_point():
        raise InvalidTensor(f"expected uint8 or floating point, got {images.dtype}")
    if not images.numel():
        return images.float()
    levels = images if images.dtype == torch.float64 else images.float()
    levels = levels * 255.0
    # An optimiser may miss 0 and 1 by less than half a level.
    low, high = (float(end) for end in torch.aminmax(levels.detach()))
    if not (low > -0.5 and high < 255.5):
        raise InvalidTensor(
            f"expected floats in 0..1, got {low / 255:.4g}..{high / 255:.4g}: undo a normalisation, and clamp what "
            "overshoots"
        )
    return _straight_through(levels, levels.detach().round())


def resize_levels(levels: Tensor, height: int, width: int, filter: ResizeFilter) -> Tensor:
    """Stretch levels ``(N, 3, H, W)`` to ``(N, 3, height, width)``; those of that size stay as they are.

    Pillow makes them, on the CPU, as for the scorer: its order of rows and columns and its roundings differ from one
    version to the next. The gradient is that of a resize without rounding, on the device.
    """
    if not len(levels):
        return levels.new_empty((0, 3, height, width))
    if levels.shape[2:] == (height, width):
        return levels
    resized = torch.from_numpy(resize_batch(list(pictures(levels)), height, width, filter)).to(levels.device)
    exact = resized.permute(0, 3, 1, 2).to(levels.dtype)
    if not levels.requires_grad:
        return exact
    return _straight_through(F.interpolate(levels, (height, width), mode=_WEIGHTS[filter], antialias=True), exact)


def pictures(levels: Tensor) -> NDArray[np.uint8]:
    """Levels ``(N, 3, H, W)`` as images that the library takes, uint8 ``(N, H, W, 3)``."""
    return np.ascontiguousarray(levels.detach().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


def _straight_through(values: Tensor, rounded: Tensor) -> Tensor:
    """The levels ``rounded``, cut off at 0 and 255, with the gradient of ``values``."""
    return rounded.clamp(0.0, 255.0) + (values - values.detach())
