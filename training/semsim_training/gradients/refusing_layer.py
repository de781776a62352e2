"""The layer of a network that autograd cannot differentiate twice, for an error that names it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from semsim_training.gradients.equal_operations import EqualOperations
from semsim_training.gradients.finite_differences import holds
from semsim_training.gradients.plain_client import refuse_once_differentiable


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
        return f"{type(network).__name__}: {first_line(error)}"
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
    """The fault of a layer's second derivative; ``None`` where it is right, or nothing that enters has a gradient."""
    values, structure = tree_flatten((args, kwargs))
    places = [place for place, value in enumerate(values) if isinstance(value, Tensor) and value.is_floating_point()]
    entered = [values[place].detach() for place in places]
    parameters = [parameter.requires_grad_() for parameter in layer.parameters()]

    def function(flat: Tensor, *, differentiable: bool = True) -> Tensor:
        """The sum of squares of the layer's first derivatives, by what enters and by its parameters."""
        entering = [part.view_as(value) for part, value in zip(flat.split(sizes), entered, strict=True)]
        given = list(values)
        for place, value in zip(places, entering, strict=True):
            given[place] = value
        args, kwargs = tree_unflatten(given, structure)
        with EqualOperations().in_use():
            output = layer(*args, **kwargs)
        leaving = [value for value in tree_leaves(output) if isinstance(value, Tensor) and value.requires_grad]
        if not leaving:
            return flat.sum() * 0
        loss = torch.stack([value.square().sum() for value in leaving]).sum()
        first = torch.autograd.grad(loss, [flat, *parameters], create_graph=differentiable, materialize_grads=True)
        return torch.stack([value.square().sum() for value in first]).sum()

    sizes = [value.numel() for value in entered]
    if not entered or not sum(sizes):
        return None
    flat = torch.cat([value.flatten() for value in entered]).requires_grad_()
    try:
        for _ in range(2):  # a layer that keeps tensors from call to call fails at the second
            function(flat, differentiable=False)
        value = function(flat)
        refuse_once_differentiable(value)
        second = torch.autograd.grad(value, flat, materialize_grads=True)[0]
        if flat.dtype == torch.float64 and not holds(function, flat, second):
            return "autograd's second derivative is not that of finite differences"
    except RuntimeError as error:
        return first_line(error)
    return None


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().partition("\n")[0]
