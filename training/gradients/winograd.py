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
_FEW_TILES = 16
"""Of a client: below, its weight gradient's frequencies, many more than its images', are never written to memory."""


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

    def apply(self, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Apply it."""
        x, mapped = x.contiguous(), x.new_empty(self.shape(sizes))
        _run(self.value, x, mapped, sizes=sizes)
        return mapped

    def __call__(self, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Apply it, differentiably."""
        mapped: Tensor = _Apply.apply(x, self, sizes)
        return mapped


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linear: Linear, sizes: tuple[int, ...]) -> Tensor:
        ctx.linear, ctx.sizes = linear, sizes
        return linear.apply(x, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.linear.adjoint(gradients[0], ctx.sizes), None, None


def _run(name: str, *tensors: Tensor, sizes: tuple[int, ...]) -> None:
    function = getattr(library(_SOURCE), f"{name}_{_TYPES[tensors[0].dtype]}")
    function(*(ctypes.c_void_p(t.data_ptr()) for t in tensors), *map(ctypes.c_int64, sizes))


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


class WeightGradient(torch.autograd.Function):
    """Weight gradients ``(N, out, taps * in)`` of N clients, from frequencies."""

    @staticmethod
    def forward(ctx: Any, entering: Tensor, delta: Tensor, clients: int) -> Tensor:
        """``entering`` ``(36, tiles, in)``, ``delta`` ``(36, tiles, out)``: the loss's gradient by what leaves."""
        entering, delta = entering.contiguous(), delta.contiguous()
        ctx.save_for_backward(entering, delta)
        ctx.clients = clients
        tiles, outputs, channels = entering.shape[1] // clients, delta.shape[2], entering.shape[2]
        if tiles < _FEW_TILES:
            weight = entering.new_empty((clients, outputs, _TAPS * channels))
            _run("few_tiles", delta, entering, weight, sizes=(clients, tiles, outputs, channels))
            return weight
        product = torch.bmm(_by_client(delta, clients).transpose(1, 2), _by_client(entering, clients))
        return Linear.KERNEL_ADJOINT.apply(product, (clients * outputs, channels)).view(clients, outputs, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by what came in."""
        entering, delta = ctx.saved_tensors
        clients, weight = ctx.clients, gradients[0].contiguous()
        tiles, outputs, channels = entering.shape[1] // clients, delta.shape[2], entering.shape[2]
        if tiles < _FEW_TILES:
            to_entering, to_delta = torch.empty_like(entering), torch.empty_like(delta)
            sizes = (clients, tiles, outputs, channels)
            _run("few_tiles_backward", delta, entering, weight, to_delta, to_entering, sizes=sizes)
            return to_entering, to_delta, None
        kernels = Linear.KERNEL.apply(weight, (clients * outputs, channels)).view(-1, outputs, channels)
        to_entering = torch.bmm(_by_client(delta, clients), kernels).view_as(entering)
        to_delta = torch.bmm(_by_client(entering, clients), kernels.transpose(1, 2)).view_as(delta)
        return to_entering, to_delta, None


def _by_client(frequencies: Tensor, clients: int) -> Tensor:
    """``(36, clients * tiles, channels)`` to ``(36 * clients, tiles, channels)``."""
    return frequencies.view(_FREQUENCIES * clients, -1, frequencies.shape[2])


def _tiles(height: int, width: int) -> int:
    return -(-height // 4) * -(-width // 4)
