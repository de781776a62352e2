"""Between 8-bit images and what networks take."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semsim_training.client_images.network_inputs import Inputs


def normalise(images: NDArray[np.uint8], by: Inputs, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images ``(N, H, W, C)`` in 0..255 to ``(N, C, H, W)``."""
    mean, std = _columns(by, dtype)
    return (torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(dtype) * (by.white / 255) - mean) / std


def to_images(pixels: Tensor, by: Inputs) -> NDArray[np.uint8]:
    """Normalised pixels ``(N, C, H, W)`` to images ``(N, H, W, C)``, rounded and cut to 0..255."""
    mean, std = (values.to(pixels.device) for values in _columns(by, pixels.dtype))
    levels = ((pixels * std + mean) * (255 / by.white)).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def box(by: Inputs, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The normalised values of black and white, ``(C, 1, 1)`` each, between which all images lie."""
    mean, std = _columns(by, dtype)
    return -mean / std, (by.white - mean) / std


def _columns(by: Inputs, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation, ``(C, 1, 1)`` each."""
    mean, std = (torch.tensor(values, dtype=dtype)[:, None, None] for values in (by.mean, by.std))
    return mean, std
