"""Convolutions for attacks: all clients share the weight, and each gets a weight gradient of its own."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.gradients.patches import Window, fold, unfold

_convolution_backward = torch.ops.aten.convolution_backward

_NARROW = 16
"""The number of channels below which products of patches are faster the other way round, and oneDNN's strided
convolutions are slow."""
_SEVERAL = 4
"""The number of images from which these ways are worth their copies."""


class SharedConvolution(torch.autograd.Function):
    """A convolution with a constant weight, its gradient by the images, and the gradient of that.

    PyTorch's double backward computes a weight gradient as well, which no attack needs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
        """``x`` ``(B, in, H, W)`` to ``(B, out, h, w)``."""
        ctx.save_for_backward(weight)
        ctx.window, ctx.shape = window, x.shape
        return _convolve(x, weight, bias, window)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        (weight,) = ctx.saved_tensors
        return _TransposedConvolution.apply(gradients[0], weight, ctx.shape, ctx.window), None, None, None


class _TransposedConvolution(torch.autograd.Function):
    """The gradient of a convolution by its images."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, shape: torch.Size, window: Window) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.window = window
        narrow = shape[1] < _NARROW and len(gradient) >= _SEVERAL
        if narrow and window.stride != (1, 1) and window.dilation == (1, 1) and window.groups == 1:
            return _sub_pixel_convolution(gradient, weight, shape, window)
        data: Tensor = _convolution_backward(
            gradient, gradient.new_empty(1).expand(shape), weight, None, window.stride, window.padding,
            window.dilation, False, [0, 0], window.groups, [True, False, False],
        )[0]  # fmt: skip
        return data

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        (weight,) = ctx.saved_tensors
        return _convolve(gradients[0], weight, None, ctx.window), None, None, None


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    return F.conv2d(x, weight, bias, window.stride, window.padding, window.dilation, window.groups)


def _sub_pixel_convolution(gradient: Tensor, weight: Tensor, shape: torch.Size, window: Window) -> Tensor:
    """A transposed convolution of stride s as a plain one with s * s times the channels (Shi et al., 2016).

    oneDNN's transposed convolution takes several times as long for few channels. The pixel at ``s q + r`` of the padded
    image gets the sum of ``gradient[q - m] * weight[r + s m]`` over all m.
    """
    (down, right), (top, left) = window.stride, window.padding
    taps = [-(-kernel // stride) for kernel, stride in zip(window.kernel, window.stride, strict=True)]
    missing = [tap * stride - kernel for tap, stride, kernel in zip(taps, window.stride, window.kernel, strict=True)]
    weight = F.pad(weight, (0, missing[1], 0, missing[0])).unflatten(3, (taps[1], right)).unflatten(2, (taps[0], down))
    weight = weight.flip(2, 4).permute(1, 3, 5, 0, 2, 4).reshape(-1, len(weight), *taps)
    height, width = -(-(shape[2] + 2 * top) // down), -(-(shape[3] + 2 * left) // right)
    rows, columns = gradient.shape[2:]
    around = (taps[1] - 1, width - columns, taps[0] - 1, height - rows)
    pixels = F.conv2d(F.pad(gradient, around), weight).unflatten(1, (-1, down, right))
    image = pixels.permute(0, 1, 4, 2, 5, 3).reshape(len(gradient), shape[1], height * down, width * right)
    cut: Tensor = image[:, :, top : top + shape[2], left : left + shape[3]]
    return cut


class PatchWeightGradient(torch.autograd.Function):
    """The weight gradients ``(N, out, taps * in of a group)`` of N clients, as matrix products over patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, window: Window, clients: int) -> Tensor:
        """The gradients from the input ``x`` ``(N * images, in, H, W)`` and the loss's gradient by the output."""
        patches, deltas = unfold(x, window), delta.permute(0, 2, 3, 1)
        patches = _by_group(patches.reshape(clients, -1, patches.shape[2]), window)
        deltas = _by_group(deltas.reshape(clients, -1, deltas.shape[3]), window, taps=1)
        ctx.save_for_backward(patches, deltas)
        ctx.window, ctx.shapes = window, (x.shape, delta.shape)
        return torch.bmm(deltas.transpose(1, 2), patches).view(clients, delta.shape[1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        patches, deltas = ctx.saved_tensors
        shape, (batch, channels, rows, columns) = ctx.shapes
        clients, window = len(gradients[0]), ctx.window
        weight = gradients[0].reshape(len(patches), -1, patches.shape[2])
        if channels < _NARROW:
            to_delta = torch.bmm(weight, patches.transpose(1, 2)).transpose(1, 2)
        else:
            to_delta = torch.bmm(patches, weight.transpose(1, 2))
        to_delta = _all_groups(to_delta, window, clients, taps=1).reshape(batch, rows, columns, channels)
        if window.is_same and clients == batch and shape[1] >= channels and window.groups == 1:
            to_x = _transposed_patches(deltas.view(batch, rows, columns, channels), weight, window)
        else:
            to_patches = _all_groups(torch.bmm(deltas, weight), window, clients)
            to_x = fold(to_patches.reshape(batch, rows * columns, -1), shape, window)
        return to_x, to_delta.permute(0, 3, 1, 2), None, None


def _by_group(rows: Tensor, window: Window, *, taps: int | None = None) -> Tensor:
    """Rows ``(N, positions, taps * C)`` as ``(N * groups, positions, taps * C of a group)``."""
    if window.groups == 1:
        return rows
    taps = window.kernel[0] * window.kernel[1] if taps is None else taps
    split = rows.view(*rows.shape[:2], taps, window.groups, -1).permute(0, 3, 1, 2, 4)
    return split.reshape(len(rows) * window.groups, rows.shape[1], -1)


def _all_groups(rows: Tensor, window: Window, clients: int, *, taps: int | None = None) -> Tensor:
    """The inverse of :func:`_by_group`."""
    if window.groups == 1:
        return rows
    taps = window.kernel[0] * window.kernel[1] if taps is None else taps
    split = rows.reshape(clients, window.groups, rows.shape[1], taps, -1).permute(0, 2, 3, 1, 4)
    return split.reshape(clients, rows.shape[1], -1)


def _transposed_patches(deltas: Tensor, weight: Tensor, window: Window) -> Tensor:
    """Transposed convolutions, with a weight for each image, as products over patches of ``deltas`` ``(B, H, W, out)``.

    Gathering patches of the input is cheaper than scattering patches of the output.
    """
    batch, rows, columns, _ = deltas.shape
    patches = unfold(deltas.permute(0, 3, 1, 2), window)
    taps = weight.unflatten(2, (window.kernel[0] * window.kernel[1], -1)).flip(2)
    turned = taps.permute(0, 2, 1, 3).reshape(batch, patches.shape[2], -1)
    return torch.bmm(patches, turned).view(batch, rows, columns, -1).permute(0, 3, 1, 2)
