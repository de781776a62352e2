"""A copy of a victim for attacks: frozen, differentiable twice, with clients kept apart."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.batchnorm import ClientBatchNorm
from semsim_training.gradients.equal_operations import use_equal_operations


def independent_copy(model: nn.Module) -> nn.Module:
    """A copy that shares nothing with the model.

    Raises:
        InvalidVictim: the model holds what cannot be copied, such as a tensor with the history of an earlier call.
    """
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise InvalidVictim(
            f"expected a network that can be copied, got {_with_history(model) or type(model).__name__}: "
            f"{str(error).partition('.')[0]}"
        ) from error


def _with_history(model: nn.Module) -> str:
    """The first tensor of a layer that is the result of a computation, with the usual remedy; empty without one."""
    for prefix, layer in model.named_modules():
        for name, value in vars(layer).items():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                place = f"{prefix}.{name}".lstrip(".")
                return (
                    f"{place}, which is computed from parameters (in the place of torch.nn.utils.weight_norm and "
                    "spectral_norm use those of torch.nn.utils.parametrizations)"
                )
    return ""


def attackable_copy(model: nn.Module, images: int, *, train_batchnorm: bool) -> nn.Module:
    """A frozen copy whose batch normalisation keeps clients of ``images`` images apart; names are unchanged.

    Its operations without a second derivative are replaced by equal ones.
    """
    network = independent_copy(model).eval().requires_grad_(False)
    swapped: dict[nn.Module, ClientBatchNorm] = {}  # a layer that stands at two places stays one
    for parent in list(network.modules()):
        parent._compiled_call_impl = None  # a compiled forward pass does not tell its operations
        for name, child in parent._modules.items():
            if isinstance(child, _BatchNorm) and not isinstance(child, ClientBatchNorm):
                if child not in swapped:
                    swapped[child] = _client_batchnorm(child, images, train=train_batchnorm)
                setattr(parent, name, swapped[child])
            elif hasattr(child, "inplace"):
                child.__dict__["inplace"] = False  # a layer's output must still be there when its gradient is taken
    use_equal_operations(network)
    return network


def trained_names(model: nn.Module) -> tuple[str, ...]:
    """The names of the parameters that a client trains: those that require a gradient, or all where none does."""
    trained = tuple(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    return trained or tuple(name for name, _ in model.named_parameters())


def batchnorm_layers(network: nn.Module) -> list[ClientBatchNorm]:
    """The batch normalisations of an attackable copy that have running statistics, in order."""
    layers = [module for module in network.modules() if isinstance(module, ClientBatchNorm)]
    return [layer for layer in layers if layer.running_mean is not None]


def has_batchnorm(model: nn.Module) -> bool:
    """True where a model has a batch normalisation with running statistics."""
    return any(isinstance(module, _BatchNorm) and module.running_mean is not None for module in model.modules())


def _client_batchnorm(layer: _BatchNorm, images: int, *, train: bool) -> ClientBatchNorm:
    new = ClientBatchNorm.like(layer, images)
    # Without running statistics a layer always normalises by those of its batch.
    new.train(train or layer.running_mean is None).requires_grad_(False)
    if type(layer).forward not in (_BatchNorm.forward, nn.SyncBatchNorm.forward):  # it does more than normalise
        missing = {name: value for name, value in vars(layer).items() if name not in vars(new)}
        vars(new).update(missing)
        new._modules.update(layer._modules)
        new.forward = partial(_around, partial(type(layer).forward, new), new)  # type: ignore[method-assign]
    return new


def _around(forward: Callable[..., Any], layer: ClientBatchNorm, *args: Any, **kwargs: Any) -> Any:
    """A client's normalisation in the forward pass of another class, such as timm's with an activation behind it."""
    with _Normalises(layer):
        return forward(*args, **kwargs)


class _Normalises(TorchFunctionMode):
    """``F.batch_norm`` within its context is the normalisation of one layer."""

    def __init__(self, layer: ClientBatchNorm) -> None:
        super().__init__()
        self._layer = layer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.batch_norm:
            x: Tensor = args[0] if args else kwargs["input"]
            return ClientBatchNorm.forward(self._layer, x)
        return func(*args, **(kwargs or {}))
