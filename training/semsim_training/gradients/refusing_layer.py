"""The layer of a network that autograd cannot differentiate twice, for an error that names it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from semsim_training.gradients.equal_operations import EqualOperations


def refusing_layer(network: nn.Module, pixels: Tensor) -> str:
    """The innermost layer whose second derivative fails, with its class and the error, for images ``(n, C, H, W)``.

    Each layer is tried by itself on what enters it, those inside others first.
    """
    entered: dict[nn.Module, tuple[Any, Any]] = {}

    def record(layer: nn.Module, args: Any, kwargs: Any) -> None:
        entered.setdefault(layer, (args, kwargs))

    hooks = [layer.register_forward_pre_hook(record, with_kwargs=True) for layer in network.modules()]
    try:
        network(pixels)
    except RuntimeError as error:
        return f"{type(network).__name__}: {_first_line(error)}"
    finally:
        for hook in hooks:
            hook.remove()
    names = {layer: name for name, layer in network.named_modules()}
    for layer in _inside_out(network):
        if layer in entered and (error_text := _second_derivative_error(layer, *entered[layer])):
            return f"{names[layer] or 'the network itself'} ({type(layer).__name__}): {error_text}"
    return f"{type(network).__name__}"


def _inside_out(layer: nn.Module) -> list[nn.Module]:
    return [inner for child in layer.children() for inner in _inside_out(child)] + [layer]


def _second_derivative_error(layer: nn.Module, args: Any, kwargs: Any) -> str | None:
    """The error of a layer's second derivative; ``None`` where it has one, or takes nothing that has a gradient."""
    args, kwargs = tree_map(_leaf, (args, kwargs))
    entering = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor) and value.requires_grad]
    if not entering:
        return None
    parameters = [parameter.requires_grad_() for parameter in layer.parameters()]
    try:
        with EqualOperations().in_use():
            output = layer(*args, **kwargs)
        leaving = [value for value in tree_leaves(output) if isinstance(value, Tensor) and value.requires_grad]
        first = torch.autograd.grad(
            [value.square().sum() for value in leaving], [*entering, *parameters], create_graph=True, allow_unused=True
        )
        second = sum(value.square().sum() for value in first if value is not None and value.requires_grad)
        if isinstance(second, Tensor):
            torch.autograd.grad(second, entering, allow_unused=True)
    except RuntimeError as error:
        return _first_line(error)
    return None


def _leaf(value: Any) -> Any:
    return value.detach().requires_grad_() if isinstance(value, Tensor) and value.is_floating_point() else value


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
