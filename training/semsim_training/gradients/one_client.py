"""The weight gradient of a convolution for one client alone, as the library's own convolutions compute it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.gradients.patches import Window

_convolution_backward = torch.ops.aten.convolution_backward


class OneClientWeightGradient(torch.autograd.Function):
    """The result of ``PatchWeightGradient``, without patches: for one client the library has whole operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, window: Window, _: int) -> Tensor:
        """The gradient ``(1, out, taps * in of a group)``, from ``(images, in, H, W)`` and ``(images, out, h, w)``."""
        ctx.save_for_backward(x, delta)
        ctx.window = window
        shape = (delta.shape[1], x.shape[1] // window.groups, *window.kernel)
        weight = _backward(delta, x, x.new_empty(1).expand(shape), window, by_weight=True)
        return weight.permute(0, 2, 3, 1).reshape(1, shape[0], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        x, delta = ctx.saved_tensors
        window: Window = ctx.window
        weight = gradients[0].view(delta.shape[1], *window.kernel, -1).permute(0, 3, 1, 2)
        to_delta = F.conv2d(x, weight, None, window.stride, window.padding, window.dilation, window.groups)
        return _backward(delta, x, weight, window, by_weight=False), to_delta, None, None


def _backward(delta: Tensor, x: Tensor, weight: Tensor, window: Window, *, by_weight: bool) -> Tensor:
    """The gradient of a convolution by its weight, or by its images."""
    wanted = [not by_weight, by_weight, False]
    gradients = _convolution_backward(
        delta, x, weight, None, window.stride, window.padding, window.dilation, False, [0, 0], window.groups, wanted
    )
    result: Tensor = gradients[int(by_weight)]
    return result
