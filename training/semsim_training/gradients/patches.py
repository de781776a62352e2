"""Patches of images under a convolution's window, and back, in channels-last memory.

As batched matrix products over patches, the small convolutions of single clients are as fast as large ones.
Channels-last memory makes every copy a run of whole pixels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a convolution."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def is_same(self) -> bool:
        """True where the output has the input's size and the window its centre on the pixel."""
        centred = all(
            2 * pad == dilation * (kernel - 1)
            for pad, kernel, dilation in zip(self.padding, self.kernel, self.dilation, strict=True)
        )
        return centred and self.stride == (1, 1)

    def positions(self, height: int, width: int) -> tuple[int, int]:
        """The rows and columns of the output for an input of ``height x width``."""
        size = zip((height, width), self.kernel, self.stride, self.padding, self.dilation, strict=True)
        rows, columns = (
            (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for side, kernel, stride, pad, dilation in size
        )
        return rows, columns


def unfold(x: Tensor, window: Window) -> Tensor:
    """The patches ``(B, positions, taps * C)`` of images ``(B, C, H, W)``; taps row by row."""
    batch, channels, height, width = x.shape
    rows, columns = window.positions(height, width)
    pixels = _padded(x, window.padding)
    # Without dilation a row of a patch is one run of memory. One strided copy makes all patches.
    taps = (window.kernel[0], window.kernel[1], channels)
    patches = pixels.as_strided((batch, rows, columns, *taps), _strides(pixels, window))
    return patches.reshape(batch, rows * columns, -1)


def fold(patches: Tensor, shape: torch.Size, window: Window) -> Tensor:
    """The adjoint of :func:`unfold`: sums patches back into images of ``shape`` ``(B, C, H, W)``."""
    batch, channels, height, width = shape
    rows, columns = window.positions(height, width)
    down, right = window.padding
    pixels = patches.new_zeros(batch, height + 2 * down, width + 2 * right, channels)
    # Without dilation the taps of a row are one run of memory.
    runs = window.kernel[1] if window.dilation[1] > 1 else 1
    per_run = patches.view(batch, rows, columns, window.kernel[0], runs, -1)
    # Columns this far apart share no pixel, so that their runs can be added at once.
    apart = 1 if runs > 1 else -(-window.kernel[1] // window.stride[1])
    image, down_one, right_one, tap_row, tap_column, _ = _strides(pixels, window)
    for first in range(min(apart, columns)):
        part = per_run[:, :, first::apart]
        for tap in range(window.kernel[0]):
            for run in range(runs):
                target = pixels.as_strided(
                    (batch, rows, part.shape[2], part.shape[5]),
                    (image, down_one, apart * right_one, 1),
                    first * right_one + tap * tap_row + run * tap_column,
                )
                target += part[:, :, :, tap, run]
    return pixels[:, down : down + height, right : right + width].permute(0, 3, 1, 2)


def _padded(x: Tensor, padding: tuple[int, int]) -> Tensor:
    """The images ``(B, H, W, C)``, contiguous, with zeros around them."""
    pixels = x.permute(0, 2, 3, 1)
    down, right = padding
    return F.pad(pixels, (0, 0, right, right, down, down)).contiguous() if down or right else pixels.contiguous()


def _strides(pixels: Tensor, window: Window) -> tuple[int, int, int, int, int, int]:
    """The strides of patches within padded pixels: image, position down and right, tap row and column, channel."""
    image, row, pixel, _ = pixels.stride()
    down, right = window.stride
    return image, down * row, right * pixel, window.dilation[0] * row, window.dilation[1] * pixel, 1
