"""Layers of classes that compute around PyTorch's function: timm's padded convolution, ConvNeXt's normalisation.

Such a class has a forward pass of its own, in which it gives its parameters to the one function that the class it comes
from computes. That call is known; what stands around it needs no parameters.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semsim_training.gradients.batchnorm import ClientBatchNorm

_OF_A_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_ARGUMENTS: dict[Any, tuple[str, ...]] = {
    F.conv1d: _OF_A_CONVOLUTION,
    F.conv2d: _OF_A_CONVOLUTION,
    F.linear: ("input", "weight", "bias"),
    F.layer_norm: ("input", "normalized_shape", "weight", "bias", "eps"),
    F.group_norm: ("input", "num_groups", "weight", "bias", "eps"),
    F.rms_norm: ("input", "normalized_shape", "weight", "eps"),
}
_PASSES = ("forward", "_conv_forward", "_apply_instance_norm")


def forward_by(layer: nn.Module, kind: type[nn.Module], run: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """A forward pass of ``layer`` that computes the function of ``kind`` by ``run``, which knows the layer."""
    plain = all(getattr(type(layer), name, None) is getattr(kind, name, None) for name in _PASSES)
    if isinstance(layer, ClientBatchNorm) or (plain and not {*_PASSES} & {*vars(layer)}):
        return run
    return partial(_around, layer, layer.forward, run)


def _around(
    layer: nn.Module, forward: Callable[..., Any], run: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any
) -> Any:
    with _Known(layer, run):
        return forward(*args, **kwargs)


class _Known(TorchFunctionMode):
    """The call within its context that takes a layer's weight, with the layer's attributes, is a run of the layer."""

    def __init__(self, layer: nn.Module, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._layer, self._run = layer, run

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = _ARGUMENTS.get(func)
        if names is not None:
            given = {**dict(zip(names, args, strict=False)), **(kwargs or {})}
            if given.get("weight") is self._layer.weight and self._is_the_layers(given):
                return self._run(given["input"])
        return func(*args, **(kwargs or {}))

    def _is_the_layers(self, given: dict[str, Any]) -> bool:
        """True where a call's arguments are the layer's attributes; one that has others is no run of the layer."""
        own = {name: getattr(self._layer, name, None) for name in given if name != "input"}
        return getattr(self._layer, "padding_mode", "zeros") == "zeros" and all(
            value is given[name] or (not isinstance(value, Tensor) and _plain(value) == _plain(given[name]))
            for name, value in own.items()
        )


def _plain(value: Any) -> Any:
    """A size as a tuple, and all else as it is."""
    return tuple(value) if isinstance(value, list | tuple | torch.Size) else value
