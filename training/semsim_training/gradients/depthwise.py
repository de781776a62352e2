"""Convolutions with one channel a group (depthwise): a weight for all clients, or one for each.

Such a convolution reads more memory than it multiplies. PyTorch's second derivative runs each group by itself. Here the
convolution, its adjoint and its weight gradient are one pass each (``depthwise.cpp``), and their derivatives are these
three again. Without a compiler, and on a GPU, all images of a batch become groups of one convolution.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.gradients.native import call, usable
from semsim_training.gradients.patches import Window

_SOURCE = Path(__file__).with_name("depthwise.cpp")
_convolution_backward = torch.ops.aten.convolution_backward


class DepthwiseConvolution(torch.autograd.Function):
    """A convolution with a constant weight, differentiable twice by the images."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, window: Window) -> Tensor:
        """``x`` ``(B, C, H, W)`` to ``(B, C, h, w)`` by a weight ``(1, taps, C)``."""
        ctx.save_for_backward(weight)
        ctx.window, ctx.shape = window, x.shape
        return _forward(x, weight, window)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        (weight,) = ctx.saved_tensors
        return _DepthwiseAdjoint.apply(gradients[0], weight, ctx.shape, ctx.window), None, None


class _DepthwiseAdjoint(torch.autograd.Function):
    """The gradient of a depthwise convolution by its images."""

    @staticmethod
    def forward(ctx: Any, delta: Tensor, weight: Tensor, shape: torch.Size, window: Window) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.window = window
        return _adjoint(delta, weight, shape, window)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        return _forward(gradients[0], weight, ctx.window), None, None, None


class DepthwiseWeightGradient(torch.autograd.Function):
    """The weight gradients ``(N, C, taps)`` of N clients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, window: Window, clients: int) -> Tensor:
        """The gradients from the input ``x`` ``(N * images, C, H, W)`` and the loss's gradient by the output."""
        ctx.save_for_backward(x, delta)
        ctx.window = window
        return _weight_gradient(x, delta, window, clients).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        x, delta = ctx.saved_tensors
        by_weight = gradients[0].transpose(1, 2)
        to_x = _adjoint(delta, by_weight, x.shape, ctx.window)
        return to_x, _forward(x, by_weight, ctx.window), None, None


def _forward(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """The convolution of ``x`` ``(N * images, C, H, W)`` by weights ``(N, taps, C)``."""
    rows, columns = window.positions(*x.shape[2:])
    if not usable(_SOURCE, x):
        one = x.reshape(1, -1, *x.shape[2:])
        kernels = _for_groups(weight, len(x), window)
        y = F.conv2d(one, kernels, None, window.stride, window.padding, window.dilation, len(kernels))
        return y.view(*x.shape[:2], rows, columns)
    y = x.new_empty(len(x), rows, columns, x.shape[1])
    call(_SOURCE, "forward", _pixels(x), weight.contiguous(), y, sizes=_sizes(x.shape, weight, window))
    return y.permute(0, 3, 1, 2)


def _adjoint(delta: Tensor, weight: Tensor, shape: torch.Size, window: Window) -> Tensor:
    """The adjoint of :func:`_forward` for images of ``shape``."""
    if not usable(_SOURCE, delta):
        one = delta.reshape(1, -1, *delta.shape[2:])
        images = delta.new_empty(1).expand(1, one.shape[1], *shape[2:])
        groups = _for_groups(weight, len(delta), window)
        return _backward(one, images, groups, window, [True, False, False])[0].view(shape)
    x = delta.new_empty(shape[0], *shape[2:], shape[1])
    call(_SOURCE, "adjoint", _pixels(delta), weight.contiguous(), x, sizes=_sizes(shape, weight, window))
    return x.permute(0, 3, 1, 2)


def _weight_gradient(x: Tensor, delta: Tensor, window: Window, clients: int) -> Tensor:
    """The gradients ``(N, taps, C)`` by the weights of :func:`_forward`."""
    taps, channels = window.kernel[0] * window.kernel[1], x.shape[1]
    if not usable(_SOURCE, x):
        one, by_output = (t.reshape(1, -1, *t.shape[2:]) for t in (x, delta))
        weight = x.new_empty(1).expand(one.shape[1], 1, *window.kernel)
        whole = _backward(by_output, one, weight, window, [False, True, False])[1]
        return whole.view(clients, -1, channels, taps).sum(dim=1).transpose(1, 2)
    weight = x.new_empty(clients, taps, channels)
    call(_SOURCE, "weight_gradient", _pixels(x), _pixels(delta), weight, sizes=_sizes(x.shape, weight, window))
    return weight


def _for_groups(weight: Tensor, images: int, window: Window) -> Tensor:
    """Weights ``(N, taps, C)`` as PyTorch's for groups of all images' channels, ``(N * images * C, 1, kernel)``."""
    each = weight.transpose(1, 2).repeat_interleave(images // len(weight), dim=0)
    return each.reshape(-1, 1, *window.kernel)


def _backward(delta: Tensor, x: Tensor, weight: Tensor, window: Window, wanted: list[bool]) -> tuple[Tensor, ...]:
    gradients: tuple[Tensor, ...] = _convolution_backward(
        delta, x, weight, None, window.stride, window.padding, window.dilation, False, [0, 0], len(weight), wanted
    )
    return gradients


def _pixels(x: Tensor) -> Tensor:
    """The images ``(B, H, W, C)``, contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def _sizes(shape: torch.Size, weight: Tensor, window: Window) -> tuple[int, ...]:
    """The geometry, as the C++ functions take it."""
    batch, channels, height, width = shape
    return (
        batch, height, width, *window.positions(height, width), channels, batch // len(weight),
        *window.kernel, *window.stride, *window.padding, *window.dilation,
    )  # fmt: skip
