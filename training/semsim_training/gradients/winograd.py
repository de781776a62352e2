"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, CVPR 2016, arXiv 1509.09308).

A convolution is ``output(input(x) @ kernel(w))``: tiles of 4x4 pixels become 36 frequencies, at each of which a product
of matrices replaces four times as many multiplications. The three maps are linear, and derivatives of any order need
only them and their adjoints (``winograd.cpp``). The weight gradients are made of the same frequencies. The results are
exact but for rounding, about 2e-6 relative in float32 and 1e-14 in float64.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.gradients.native import call, usable
from semsim_training.gradients.patches import Window

_SOURCE = Path(__file__).with_name("winograd.cpp")
_WINDOW = Window((3, 3), (1, 1), (1, 1))
_FREQUENCIES, _TAPS, _PANEL_BYTES = 36, 9, 64
_LEAST_CHANNELS = 8
_LEAST_TILES = 32
"""The number of tiles below which reading the kernels' frequencies takes longer than four times the multiplications."""


def takes(window: Window, channels: tuple[int, int], x: Tensor) -> bool:
    """True where a convolution of ``x`` ``(B, in, H, W)`` is computed here; ``channels`` are those in and out.

    Shapes decide and not a measurement, because a resumed run must take the same path to the same bytes.
    """
    return (
        window == _WINDOW and min(channels) >= _LEAST_CHANNELS
        and len(x) * _tiles(*x.shape[2:]) >= _LEAST_TILES
        and usable(_SOURCE, x)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kernel:
    """A weight ``(out, in, 3, 3)`` as frequencies, in the memory order of the products that it goes into."""

    forward: Tensor
    """The frequencies for the convolution, ``(36, panels, in, output channels of a panel)``."""
    adjoint: Tensor
    """The frequencies for its adjoint, ``(36, panels, out, input channels of a panel)``."""
    channels: tuple[int, int]
    """The numbers of input and of output channels."""

    @classmethod
    def of(cls, weight: Tensor) -> Self:
        """The frequencies of a constant weight."""
        outputs, inputs = weight.shape[:2]
        frequencies = weight.new_empty(_FREQUENCIES, outputs, inputs)
        call(_SOURCE, "kernel", weight.permute(0, 2, 3, 1).contiguous(), frequencies, sizes=(outputs, inputs))
        return cls(_panels(frequencies.transpose(1, 2)), _panels(frequencies), (inputs, outputs))


def convolve(x: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor, Tensor]:
    """The convolution ``(B, out, H, W)`` of ``x`` ``(B, in, H, W)``, in channels-last memory.

    Beside it come the two that weight gradients are made of: the input's frequencies ``(36, tiles, in)``, and zeros
    ``(36, tiles, out)`` that were added to the output's frequencies, so that the loss's gradient can be taken by them.
    """
    tiles = len(x) * _tiles(*x.shape[2:])
    leaving = x.new_zeros(()).expand(_FREQUENCIES, tiles, kernel.channels[1]).requires_grad_()
    output, entering = _WinogradForward.apply(x.permute(0, 2, 3, 1), leaving, kernel)
    return output.permute(0, 3, 1, 2), entering, leaving


class _WinogradForward(torch.autograd.Function):
    """``output(leaving + input(x) @ kernel)``, and ``input(x)``; ``leaving`` stands for zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, leaving: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor]:
        ctx.kernel = kernel
        ctx.set_materialize_grads(False)
        entering = x.new_empty((*leaving.shape[:2], x.shape[3]))
        return _convolve("forward", x, kernel, keep=entering), entering

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        by_output, by_entering = gradients
        if by_output is None:
            raise RuntimeError("expected a loss that depends on the convolution's output")
        if by_entering is None:
            return *_WinogradAdjoint.apply(by_output, ctx.kernel), None
        return _convolve("adjoint", by_output, ctx.kernel, add=by_entering), None, None


class _WinogradAdjoint(torch.autograd.Function):
    """The gradients of :class:`_WinogradForward` by ``x`` and ``leaving``."""

    @staticmethod
    def forward(ctx: Any, delta: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor]:
        ctx.kernel = kernel
        batch, height, width, channels = delta.shape
        leaving = delta.new_empty(_FREQUENCIES, batch * _tiles(height, width), channels)
        return _convolve("adjoint", delta, kernel, keep=leaving), leaving

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        by_x, by_leaving = gradients
        return _convolve("forward", by_x, ctx.kernel, add=by_leaving), None


class WeightGradient(torch.autograd.Function):
    """The weight gradients ``(N, out, taps * in)`` of N clients, from frequencies."""

    @staticmethod
    def forward(ctx: Any, entering: Tensor, delta: Tensor, clients: int) -> Tensor:
        """The gradients from the input's frequencies ``(36, tiles, in)`` and the loss's gradient by the output's."""
        entering, delta = entering.contiguous(), delta.contiguous()
        ctx.save_for_backward(entering, delta)
        ctx.sizes = (clients, entering.shape[1] // clients, delta.shape[2], entering.shape[2])
        weight = entering.new_empty((clients, delta.shape[2], _TAPS * entering.shape[2]))
        call(_SOURCE, "weight_gradient", delta, entering, weight, sizes=ctx.sizes)
        return weight

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by the inputs."""
        entering, delta = ctx.saved_tensors
        to_entering, to_delta = torch.empty_like(entering), torch.empty_like(delta)
        by_weight = gradients[0].contiguous()
        call(_SOURCE, "weight_gradient_backward", delta, entering, by_weight, to_delta, to_entering, sizes=ctx.sizes)
        return to_entering, to_delta, None


def _convolve(
    direction: str, x: Tensor, kernel: Kernel, *, add: Tensor | None = None, keep: Tensor | None = None
) -> Tensor:
    """The convolution of ``x`` ``(B, H, W, channels)``, or its adjoint.

    ``add`` is added to the frequencies after the product; ``keep`` receives those before it.
    """
    x, panels = x.contiguous(), kernel.forward if direction == "forward" else kernel.adjoint
    channels = kernel.channels if direction == "forward" else kernel.channels[::-1]
    output = x.new_empty((*x.shape[:3], channels[1]))
    add = None if add is None else add.contiguous()
    call(_SOURCE, direction, x, panels, add, keep, output, sizes=(*x.shape[:3], *channels))
    return output


def _panels(frequencies: Tensor) -> Tensor:
    """The frequencies ``(36, rows, channels)`` as ``(36, panels, rows, channels of a panel)``, padded with zeros."""
    width = _PANEL_BYTES // frequencies.element_size()
    padded = F.pad(frequencies, (0, -frequencies.shape[2] % width))
    panels: Tensor = padded.unflatten(2, (-1, width)).transpose(1, 2).contiguous()
    return panels


def _tiles(height: int, width: int) -> int:
    """The number of tiles that an image is cut into."""
    return -(-height // 4) * -(-width // 4)
