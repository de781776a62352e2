"""LPIPS v0.1 with AlexNet.

It follows Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, equation
1. The features of five layers have unit norm over the channels at every position. Their squared differences are
weighted by learned heads, summed over channels, averaged over positions and summed over layers.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from semsim.exceptions import ImageTooSmall, InvalidArray, InvalidCheckpoint

SMALLEST_SIDE = 31
"""The fewest pixels of a side: AlexNet's second pooling has nothing left of a smaller image. From 31 to 46 pixels a
side, layers 3 to 5 have one position: they compare what the image holds and no longer where."""

_BATCH = 32
EPSILON = 1e-10
"""It is added to the norm of the features of a position."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""The mean and the standard deviation that the network takes for those of each channel, in -1..1."""
CONVOLUTIONS = (
    (0, 3, 64, 11, 4, 2, False),
    (3, 64, 192, 5, 1, 2, True),
    (6, 192, 384, 3, 1, 1, True),
    (8, 384, 256, 3, 1, 1, False),
    (10, 256, 256, 3, 1, 1, False),
)
"""Index in torchvision's `features`, channels in and out, kernel, stride, padding, and whether pooling comes first."""


class InputRange(StrEnum):
    """The range that 8-bit levels are turned to before the network. The values name metrics: the two are not one."""

    PUBLISHED = "lpips"
    """-1..1, as published."""
    UNIT = "lpips_0_1"
    """0..1, as the code of SemSim's paper had it: half the contrast, and brighter."""


class Lpips:
    """LPIPS, computed on a CPU in float32."""

    def __init__(self, weights: Path, input_range: InputRange = InputRange.PUBLISHED) -> None:
        """Load ``weights``, safetensors: torchvision's AlexNet ``features.*`` and LPIPS v0.1's ``heads.lin*``.

        Raises:
            InvalidCheckpoint: there is no such file, or it does not hold these weights.
        """
        self.input_range = input_range
        self._state = _read(weights)

    @property
    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The weights by their names in the file."""
        return {name: value.float().numpy() for name, value in self._state.items()}

    @torch.inference_mode()
    def distances(self, originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> NDArray[np.float64]:
        """LPIPS of each pair of two batches uint8 ``(N, H, W, 3)``, float64 ``(N,)``, >= 0; 0 = equal, lower = closer.

        Images are taken at their own size, as published: nothing is resized.

        Raises:
            InvalidArray: the batches are not of one shape ``(N, H, W, 3)``.
            ImageTooSmall: a side under 31 pixels.
        """
        if originals.ndim != 4 or originals.shape != reconstructions.shape or originals.shape[3] != 3:
            raise InvalidArray(
                f"expected two batches of one shape (N, H, W, 3), got {originals.shape} and {reconstructions.shape}"
            )
        _, height, width, _ = originals.shape
        if min(height, width) < SMALLEST_SIDE:
            raise ImageTooSmall(f"expected sides of at least {SMALLEST_SIDE} pixels for LPIPS, got {width}x{height}")
        distances = np.empty(len(originals))
        for start in range(0, len(originals), _BATCH):
            rows = slice(start, start + _BATCH)
            distances[rows] = self._distance(originals[rows], reconstructions[rows]).numpy()
        return distances

    def _distance(self, originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> Tensor:
        total = torch.zeros(len(originals), dtype=torch.float64)
        pairs = zip(self._features(originals), self._features(reconstructions), strict=True)
        for layer, (left, right) in enumerate(pairs):
            squared = functional.conv2d((_unit(left) - _unit(right)).square(), self._state[head_name(layer)])
            total += squared.mean(dim=(1, 2, 3)).double()
        return total

    def _features(self, images: NDArray[np.uint8]) -> list[Tensor]:
        """The outputs of the five convolutions, each after its rectification."""
        levels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
        if self.input_range is InputRange.PUBLISHED:
            levels = levels * 2.0 - 1.0
        maps = (levels - torch.tensor(SHIFT).reshape(1, 3, 1, 1)) / torch.tensor(SCALE).reshape(1, 3, 1, 1)
        outputs = []
        for index, _, _, _, stride, padding, pooled in CONVOLUTIONS:
            if pooled:
                maps = functional.max_pool2d(maps, kernel_size=3, stride=2)
            weight, bias = self._state[f"features.{index}.weight"], self._state[f"features.{index}.bias"]
            maps = functional.relu(functional.conv2d(maps, weight, bias, stride, padding))
            outputs.append(maps)
        return outputs


def _unit(maps: Tensor) -> Tensor:
    return maps / (maps.square().sum(dim=1, keepdim=True).sqrt() + EPSILON)


def head_name(layer: int) -> str:
    """The name of the weights of a layer's head."""
    return f"heads.lin{layer}.model.1.weight"


def _expected() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (index, taken, given, kernel, *_) in enumerate(CONVOLUTIONS):
        shapes[f"features.{index}.weight"] = (given, taken, kernel, kernel)
        shapes[f"features.{index}.bias"] = (given,)
        shapes[head_name(layer)] = (1, given, 1, 1)
    return shapes


def _read(weights: Path) -> Mapping[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise InvalidCheckpoint(f"expected a safetensors file at {weights}: {error}") from error
    for name, shape in _expected().items():
        got = tuple(state[name].shape) if name in state else "nothing"
        if got != shape:
            raise InvalidCheckpoint(f"expected LPIPS weights with {name} of shape {shape} in {weights}, got {got}")
    return state
