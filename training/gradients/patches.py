"""Patches of images under a convolution's window, and back, in channels-last memory.

As batched matrix products over patches, the per-client halves of a convolution reach the speed of large
ones; channels-last keeps every copy a run of whole pixels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a convolution without dilation or groups."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def positions(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output for an input of ``height x width``."""
        size = zip((height, width), self.kernel, self.stride, self.padding, strict=True)
        rows, columns = ((side + 2 * pad - kernel) // stride + 1 for side, kernel, stride, pad in size)
        return rows, columns

    def slices(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """For each tap of the kernel, row by row: where its inputs lie in the padded image."""
        rows, columns = self.positions(height, width)
        down, right = self.stride
        return [
            (slice(i, i + down * (rows - 1) + 1, down), slice(j, j + right * (columns - 1) + 1, right))
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]


def unfold(x: Tensor, window: Window) -> Tensor:
    """Patches ``(B, positions, taps * C)`` of images ``(B, C, H, W)``."""
    batch, channels, height, width = x.shape
    rows, columns = window.positions(height, width)
    pixels = x.permute(0, 2, 3, 1)
    down, right = window.padding
    if down or right:
        pixels = F.pad(pixels, (0, 0, right, right, down, down))
    taps = window.slices(height, width)
    patches = x.new_empty(batch, rows, columns, len(taps), channels)
    for tap, (vertical, horizontal) in enumerate(taps):
        patches[:, :, :, tap] = pixels[:, vertical, horizontal]
    return patches.view(batch, rows * columns, len(taps) * channels)


def fold(patches: Tensor, shape: torch.Size, window: Window) -> Tensor:
    """The adjoint of :func:`unfold`: sums patches back into images of ``shape`` ``(B, C, H, W)``."""
    batch, channels, height, width = shape
    rows, columns = window.positions(height, width)
    down, right = window.padding
    taps = window.slices(height, width)
    per_tap = patches.view(batch, rows, columns, len(taps), channels)
    pixels = patches.new_zeros(batch, height + 2 * down, width + 2 * right, channels)
    for tap, (vertical, horizontal) in enumerate(taps):
        pixels[:, vertical, horizontal] += per_tap[:, :, :, tap]
    return pixels[:, down : down + height, right : right + width].permute(0, 3, 1, 2)
