"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, CVPR 2016, arXiv 1509.09308).

A convolution is ``output(input(x) @ kernel(w))``: tiles of 4x4 pixels become 36 frequencies, at each of which a product
of matrices replaces four times as many multiplications. All but the products is linear, and the three maps and
their adjoints (``winograd.cpp``) are all that derivatives of any order need; the frequencies made on the way
serve the weight gradients, too. Exact but for rounding: about 2e-6 relative in float32, 1e-14 in float64.
"""

import ctypes
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.gradients.native import library

_SOURCE = Path(__file__).with_name("winograd.cpp")
_TYPES = {torch.float32: "float", torch.float64: "double"}
_FREQUENCIES, _TAPS = 36, 9
_LEAST_CHANNELS = 8
_LEAST_TILES = 32
"""Below, reading the kernels' frequencies takes longer than four times the multiplications."""
_LEAST_TILES_OF_A_CLIENT = 16
"""Below, that holds for the frequencies of each client's weight gradient."""


class Linear(Enum):
    """A linear map of ``winograd.cpp``; sizes are ``(batch, height, width, channels)``, a kernel's ``(rows, channels)``."""

    INPUT = "input"
    INPUT_ADJOINT = "input_adjoint"
    OUTPUT = "output"
    OUTPUT_ADJOINT = "output_adjoint"
    KERNEL = "kernel"
    KERNEL_ADJOINT = "kernel_adjoint"

    @property
    def adjoint(self) -> "Linear":
        """The map that gradients take."""
        name = self.value
        return Linear(name.removesuffix("_adjoint") if name.endswith("_adjoint") else f"{name}_adjoint")

    def shape(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """What it gives."""
        match self:
            case Linear.KERNEL_ADJOINT:
                return (sizes[0], _TAPS, sizes[1])
            case Linear.INPUT_ADJOINT | Linear.OUTPUT:
                return sizes
            case Linear.KERNEL:
                return (_FREQUENCIES, *sizes)
            case _:
                return (_FREQUENCIES, sizes[0] * _tiles(sizes[1], sizes[2]), sizes[3])

    def __call__(self, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Apply it, differentiably."""
        mapped: Tensor = _Apply.apply(x, self, sizes)
        return mapped


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linear: Linear, sizes: tuple[int, ...]) -> Tensor:
        ctx.linear, ctx.sizes = linear, sizes
        x, mapped = x.contiguous(), x.new_empty(linear.shape(sizes))
        run = getattr(library(_SOURCE), f"{linear.value}_{_TYPES[x.dtype]}")
        run(ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(mapped.data_ptr()), *map(ctypes.c_int64, sizes))
        return mapped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.linear.adjoint(gradients[0], ctx.sizes), None, None


def takes(layer: nn.Conv2d, x: Tensor) -> bool:
    """Whether a layer is computed here for ``x`` ``(B, in, H, W)``.

    A rule of shapes, not a measurement: a run that is resumed must take the same path to the same bytes.
    """
    return (
        layer.kernel_size == (3, 3) and layer.stride == layer.dilation == layer.padding == (1, 1)
        and layer.groups == 1 and min(layer.in_channels, layer.out_channels) >= _LEAST_CHANNELS
        and len(x) * _tiles(*x.shape[2:]) >= _LEAST_TILES
        and x.device.type == "cpu" and x.dtype in _TYPES and library(_SOURCE) is not None
    )  # fmt: skip


def kernel_frequencies(weight: Tensor) -> Tensor:
    """``(36, out, in)`` of a weight ``(out, in, 3, 3)``."""
    outputs, inputs = weight.shape[:2]
    return Linear.KERNEL(weight.permute(0, 2, 3, 1), (outputs, inputs))


def convolve(x: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The convolution ``(B, out, H, W)`` of ``x`` ``(B, in, H, W)``, in channels-last memory.

    And the frequencies on its way, ``(36, tiles, in)`` of what came in and ``(36, tiles, out)`` of what comes out.
    """
    batch, channels, height, width = x.shape
    entering = Linear.INPUT(x.permute(0, 2, 3, 1), (batch, height, width, channels))
    leaving = torch.bmm(entering, kernel.transpose(1, 2))
    output = Linear.OUTPUT(leaving, (batch, height, width, kernel.shape[1]))
    return output.permute(0, 3, 1, 2), entering, leaving


def gives_weight_gradients(entering: Tensor, clients: int) -> bool:
    """Whether each client's weight gradient is made from frequencies, too."""
    return entering.shape[1] >= _LEAST_TILES_OF_A_CLIENT * clients


def weight_gradients(entering: Tensor, delta: Tensor, clients: int) -> Tensor:
    """``(clients, out, taps * in)``; ``delta`` ``(36, tiles, out)`` is the loss's gradient by ``leaving``."""
    inputs, deltas = (t.unflatten(1, (clients, -1)).flatten(0, 1) for t in (entering, delta))
    frequencies = torch.bmm(deltas.transpose(1, 2), inputs).view(_FREQUENCIES, -1, entering.shape[2])
    taps = Linear.KERNEL_ADJOINT(frequencies, tuple(frequencies.shape[1:]))
    return taps.view(clients, delta.shape[2], -1)


def _tiles(height: int, width: int) -> int:
    return -(-height // 4) * -(-width // 4)
