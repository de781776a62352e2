"""CI-Net (Zhang et al., ICCV 2023): the unknowns are the weights of an untrained, over-parameterised generator.

Convolutions make images that look natural before they fit anything else (Ulyanov et al., Deep Image Prior, CVPR 2018).
The network is that of the authors' code for 32 pixels: a block for each doubling of the side from 4 pixels. Biases
before batch normalisations and spectral normalisation are left out. A batch normalisation undoes the shift and the
scale of the convolution before it, and the search sees signs of gradients only, so that both would change nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import vmap

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.decoder import Decoder

_CODE = 128
"""The length of the fixed random code of each image."""
_NARROWEST = 32
"""The channels that are doubled until the network is over-parameterised."""


@dataclass(frozen=True, slots=True)
class UntrainedNetwork(Decoder):
    """The weights of a client's network in one row, and behind them its images' codes, which stay as they are."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not square, or whose side is no power of two.

        Raises:
            InvalidUpdate: the images that can be made, and those that were asked for.
        """
        height, width = shape[2:]
        if height != width or height & (height - 1):
            raise InvalidUpdate(f"expected square images of 16, 32, 64, ... pixels for CI-Net, got {height}x{width}")

    def start(self, shape: tuple[int, ...], seed: int) -> Tensor:
        """Weights as layers of PyTorch begin, but for a last bias of zero, and standard normal codes."""
        rng = torch.Generator().manual_seed(seed)
        parts = [_first(one, rng) for one in _weights(shape)]
        return torch.cat([*parts, torch.randn(shape[0] * _CODE, generator=rng, dtype=torch.float64)])

    def __call__(self, unknowns: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The images that each row's network makes of the row's codes."""
        described, codes = _weights(shape), shape[0] * _CODE

        def made(row: Tensor) -> Tensor:
            parts = row[:-codes].split([one.count for one in described])
            weights = (part.view(one.shape) for part, one in zip(parts, described, strict=True))
            return _images(weights, row[-codes:].detach().view(shape[0], _CODE), shape[-1])

        images: Tensor = vmap(made)(unknowns)
        return images


@dataclass(frozen=True, slots=True)
class _Weight:
    """A tensor of weights, and the way it begins."""

    shape: tuple[int, ...]
    begins: Literal["uniform", "ones", "zeros"] = "uniform"
    """``uniform`` between plus and minus one over the root of the inputs of an output."""

    @property
    def count(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)


def _weights(shape: tuple[int, ...]) -> list[_Weight]:
    """The weights, more than four times as many as pixels of the images ``shape``, in the order of their use."""
    images, channels, _, side = shape
    width = _NARROWEST
    while True:
        normalisation = [_Weight((width,), "ones"), _Weight((width,), "zeros")]
        block = [_Weight((width, width, 3, 3)), *normalisation] * 2
        weights = [_Weight((_CODE, width * 16)), *normalisation, *block * (side.bit_length() - 2)]
        weights += [_Weight((channels, width, 1, 1)), _Weight((channels,), "zeros")]
        if sum(weight.count for weight in weights) > 4 * images * side**2:
            return weights
        width *= 2


def _first(weight: _Weight, rng: torch.Generator) -> Tensor:
    """The first values ``(count,)``."""
    if weight.begins != "uniform":
        return torch.full((weight.count,), float(weight.begins == "ones"), dtype=torch.float64)
    bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
    return (torch.rand(weight.count, generator=rng, dtype=torch.float64) * 2 - 1) * bound


def _images(weights: Iterator[Tensor], codes: Tensor, side: int) -> Tensor:
    """The images ``(images, C, side, side)`` of one network."""
    x = _normalised((codes @ next(weights)).view(len(codes), -1, 4, 4), weights)
    for step in range(side.bit_length() - 2):
        x = F.interpolate(x, scale_factor=2) if step else x
        for _ in range(2):
            x = _normalised(F.conv2d(x, next(weights), padding=1), weights)
    return (F.conv2d(x, next(weights), next(weights)).tanh() + 1) / 2


def _normalised(x: Tensor, weights: Iterator[Tensor]) -> Tensor:
    """Batch normalisation over the client's images, and a leaky rectifier."""
    scale, shift = (next(weights)[:, None, None] for _ in range(2))
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return F.leaky_relu((x - mean) * (variance + 1e-5).rsqrt() * scale + shift, 0.1)
