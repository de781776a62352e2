"""Between 8-bit images and what networks take."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Normalisation(Protocol):
    """The mean and standard deviation of each channel, in levels 0..255."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """The levels that are subtracted."""

    @property
    def std(self) -> tuple[float, float, float]:
        """The levels that the difference is divided by."""


def normalise(images: NDArray[np.uint8], by: Normalisation, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images ``(N, H, W, 3)`` in 0..255 to ``(N, 3, H, W)``."""
    mean, std = (torch.tensor(values, dtype=dtype)[:, None, None] for values in (by.mean, by.std))
    return (torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(dtype) - mean) / std


def to_images(pixels: Tensor, by: Normalisation) -> NDArray[np.uint8]:
    """Normalised pixels ``(N, 3, H, W)`` to images ``(N, H, W, 3)``, rounded and cut to 0..255."""
    mean, std = (
        torch.tensor(values, dtype=pixels.dtype, device=pixels.device)[:, None, None] for values in (by.mean, by.std)
    )
    levels = (pixels * std + mean).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def box(by: Normalisation, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The normalised values of black and white, ``(3, 1, 1)`` each, between which all images lie."""
    mean, std = (torch.tensor(values, dtype=dtype)[:, None, None] for values in (by.mean, by.std))
    return -mean / std, (255 - mean) / std
