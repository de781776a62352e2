"""Convolution layers whose weight all clients share."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim_training.gradients import winograd
from semsim_training.gradients.convolution import PatchWeightGradient, SharedConvolution
from semsim_training.gradients.depthwise import DepthwiseConvolution, DepthwiseWeightGradient
from semsim_training.gradients.one_client import OneClientWeightGradient
from semsim_training.gradients.patches import Window
from semsim_training.gradients.shared_layer import LayerRun
from semsim_training.gradients.terms import DenseTerm, GradientTerm, summed


class ConvolutionLayer:
    """The runs of a one- or two-dimensional convolution with any stride, padding, dilation and groups."""

    def __init__(self, layer: nn.Conv1d | nn.Conv2d) -> None:
        if isinstance(layer, nn.Conv2d):  # its runs take the weight in this layout
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        self._layer = layer
        self._window, self._around = _geometry(layer)
        self._depthwise = 1 < layer.groups == layer.in_channels == layer.out_channels
        self._kernels: dict[torch.dtype, winograd.Kernel] = {}

    def __call__(self, x: Tensor, images: int) -> LayerRun:
        """Run the layer on ``(N * images, in, H, W)`` or ``(N * images, in, L)``."""
        layer, window = self._layer, self._window
        weight = layer.weight.detach()
        if self._around:
            x = F.pad(x, self._around, "constant" if layer.padding_mode == "zeros" else layer.padding_mode)
        if isinstance(layer, nn.Conv1d):  # an image of one row
            x, weight = x.unsqueeze(2), weight.unsqueeze(2)
        bias = None if layer.bias is None else layer.bias.detach()
        if self._depthwise:
            y = DepthwiseConvolution.apply(x, weight.flatten(1).t()[None], window)
        elif winograd.takes(window, (layer.in_channels, layer.out_channels), x):
            if x.dtype not in self._kernels:
                self._kernels[x.dtype] = winograd.Kernel.of(weight)
            y, entering, leaving = winograd.convolve(x, self._kernels[x.dtype])
            y = y if bias is None else y + bias[:, None, None]
            return LayerRun(y, (leaving, y), lambda *deltas: self._winograd_terms(entering, *deltas, images=images))
        else:
            x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
            y = SharedConvolution.apply(x, weight, bias, window)
        if self._depthwise and bias is not None:
            y = y + bias[:, None, None]
        y = y.squeeze(2) if isinstance(layer, nn.Conv1d) else y
        return LayerRun(y, (y,), lambda delta: self._terms(x, delta, images))

    def _terms(self, x: Tensor, delta: Tensor, images: int) -> Mapping[str, GradientTerm]:
        delta = delta.unsqueeze(2) if isinstance(self._layer, nn.Conv1d) else delta
        clients = x.shape[0] // images
        several = DepthwiseWeightGradient if self._depthwise else PatchWeightGradient
        gradient = OneClientWeightGradient if clients == 1 and not self._depthwise else several
        weight = gradient.apply(x, delta, self._window, clients)
        return {"weight": DenseTerm(weight), **self._bias_term(delta, images)}

    def _winograd_terms(
        self, entering: Tensor, leaving: Tensor, delta: Tensor, *, images: int
    ) -> Mapping[str, GradientTerm]:
        weight = winograd.WeightGradient.apply(entering, leaving, delta.shape[0] // images)
        return {"weight": DenseTerm(weight), **self._bias_term(delta, images)}

    def _bias_term(self, delta: Tensor, images: int) -> Mapping[str, GradientTerm]:
        return {} if self._layer.bias is None else {"bias": summed(delta.sum(dim=(2, 3)), images)}


def _geometry(layer: nn.Conv1d | nn.Conv2d) -> tuple[Window, list[int]]:
    """A layer's window, and what ``F.pad`` puts around an image before it; nothing where the window pads with zeros."""
    around = list(layer._reversed_padding_repeated_twice)  # left, right, and for images top, bottom
    if layer.padding_mode != "zeros":
        padding: tuple[int, ...] = (0, 0)
    elif not isinstance(layer.padding, str):
        padding, around = layer.padding, []
    elif around[::2] == around[1::2]:
        padding, around = tuple(around[::-2]), []
    else:
        padding = (0, 0)
    window = Window(
        _pair(layer.kernel_size, 1), _pair(layer.stride, 1), _pair(padding, 0), _pair(layer.dilation, 1), layer.groups
    )
    return window, around


def _pair(values: tuple[int, ...], rows: int) -> tuple[int, int]:
    """The value of rows and that of columns; a one-dimensional layer has that of ``rows``."""
    down, right = values if len(values) == 2 else (rows, *values)
    return down, right
