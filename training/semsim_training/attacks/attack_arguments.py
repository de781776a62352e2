"""Refusals of arguments of ``attack()`` that no attack can work with, before any work."""

import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from semsim.exceptions import InvalidConfiguration, InvalidUpdate, InvalidVictim
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import AttackChoice, ClosedForm
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.observations.observation import running_statistics


def refuse_other_types(model: object, inputs: object) -> None:
    """Refuse what is no network with weights in memory, or no description of its images.

    Raises:
        InvalidVictim: the model is no module, is TorchScript, or a parameter has no numbers yet.
        InvalidConfiguration: the inputs are of another type.
    """
    if not isinstance(inputs, Inputs):
        raise InvalidConfiguration(f"expected Inputs that describe the model's images, got {type(inputs).__name__}")
    if not isinstance(model, nn.Module):
        raise InvalidVictim(f"expected a torch.nn.Module, got {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise InvalidVictim("expected the network that TorchScript was made of, got a ScriptModule")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            raise InvalidVictim(f"expected a network whose layers are initialised, got a lazy one: {name} has no shape")
        if tensor.is_meta:
            raise InvalidVictim(f"expected a network with weights, got {name} on the device meta")


def refuse_other_options(attack: object, seconds: object, device: object) -> None:
    """Refuse what names no attack, no time and no device.

    Raises:
        InvalidConfiguration: a value is of another type.
    """
    if not isinstance(attack, str | AttackChoice | AttackRecipe | ClosedForm):
        raise InvalidConfiguration(
            f"expected an attack's name, an AttackChoice or an AttackRecipe, got {type(attack).__name__}"
        )
    if seconds is not None and (not isinstance(seconds, Real) or isinstance(seconds, bool)):
        raise InvalidConfiguration(f"expected a number of seconds, got {seconds!r}")
    if not isinstance(device, str | torch.device):
        raise InvalidConfiguration(f"expected a device such as cpu or cuda, got {device!r}")


def refuse_weights_that_are_not_finite(model: nn.Module) -> None:
    """Refuse weights and running statistics with NaN or infinity.

    Raises:
        InvalidVictim: the message names the first of them.
    """
    for name, tensor in (*model.named_parameters(), *running_statistics(model).items()):
        if not torch.isfinite(tensor).all():
            got = "NaN" if torch.isnan(tensor).any() else "infinity"
            raise InvalidVictim(f"expected finite weights, got {got} in {name}")


def whole_number(value: Any, wanted: str) -> int:
    """The value as an ``int``; integers of NumPy and PyTorch are taken, and truth values are not.

    Raises:
        InvalidUpdate: the value is no whole number; ``wanted`` says what was expected.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InvalidUpdate(f"expected {wanted}, got {value!r}") from None


def whole_labels(labels: Iterable[Any] | None) -> tuple[int, ...] | None:
    """The labels as a tuple of ``int``; sequences, arrays and tensors of whole numbers are taken.

    Raises:
        InvalidUpdate: a label is no whole number, or there is no sequence of them.
    """
    if labels is None:
        return None
    wanted = "labels as a sequence of whole numbers"
    try:
        values = list(labels)
    except TypeError:
        raise InvalidUpdate(f"expected {wanted}, got {labels!r}") from None
    return tuple(whole_number(value, wanted) for value in values)
