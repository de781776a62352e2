"""State dicts as tools write them: wrapped in a checkpoint, or under the prefixes of parallel and compiled models."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from semsim.exceptions import InvalidVictim, SemSimError
from semsim_training.gradients.attackable import independent_copy

_COMPILED = "_orig_mod"
_KEYS = ("state_dict", "model_state_dict", "model")
"""The keys under which checkpoints hold the state dict: Lightning's, those of PyTorch's tutorial, torchvision's."""


def plain_module(model: nn.Module) -> nn.Module:
    """The module inside ``DataParallel``, ``DistributedDataParallel`` and ``torch.compile``.

    The result shares its parameters with ``model`` unless a module deep inside is wrapped; then it is a copy.
    """
    plain = _unwrapped(model)
    if all(_unwrapped(module) is module for module in plain.modules()):
        return plain
    plain = independent_copy(plain)
    for parent in list(plain.modules()):
        for name, child in parent.named_children():
            setattr(parent, name, _unwrapped(child))
    return plain


def plain_names(
    tensors: Mapping[str, Tensor], model: nn.Module, refusal: type[SemSimError] = InvalidVictim
) -> dict[str, Tensor]:
    """The tensors by the names of a plain model: without the ``module.`` and ``_orig_mod.`` that wrappers add.

    A name that the model has is left alone, and so is a name that is not the model's in either form.

    Raises:
        SemSimError: two tensors would get one name; of the class ``refusal``.
    """
    expected = set(model.state_dict()) | {name for name, _ in model.named_parameters()}
    plain: dict[str, Tensor] = {}
    came_as: dict[str, str] = {}
    for name, tensor in tensors.items():
        new = name if name in expected else _plain_name(name, expected)
        if new in came_as:
            raise refusal(f"expected one tensor for {new}, got {came_as[new]} and {name}")
        plain[new], came_as[new] = tensor, name
    return plain


def state_dict_of(loaded: object, source: str, refusal: type[SemSimError] = InvalidVictim) -> dict[str, Tensor]:
    """The state dict of a loaded file: itself, or under ``state_dict``, ``model_state_dict`` or ``model`` of it.

    Raises:
        SemSimError: ``loaded`` is neither, or holds several state dicts; of the class ``refusal``.
    """
    if not isinstance(loaded, Mapping):
        raise refusal(f"expected a state dict (names to tensors) at {source}, got {type(loaded).__name__}")
    if _is_state(loaded):
        return _named(loaded, source, refusal)
    keys = [key for key in _KEYS if _is_state(loaded.get(key))]
    if len(keys) != 1:
        expected = f"expected a state dict, or one under {', '.join(_KEYS)}, at {source}"
        if keys:
            raise refusal(f"{expected}, got {len(keys)}: {', '.join(keys)}")
        raise refusal(f"{expected}, got a mapping of {_shown(loaded)}")
    return _named(loaded[keys[0]], source, refusal)


def _shown(loaded: Mapping[Any, Any]) -> str:
    """The first names of a mapping, with the types of what is no tensor."""
    kinds = {str(name)[:40]: type(value).__name__ for name, value in list(loaded.items())[:5]}
    return ", ".join(name if kind == "Tensor" else f"{name} ({kind})" for name, kind in kinds.items()) or "nothing"


def _named(state: Mapping[Any, Tensor], source: str, refusal: type[SemSimError]) -> dict[str, Tensor]:
    for name in state:
        if not isinstance(name, str):
            raise refusal(f"expected names of tensors as text at {source}, got {type(name).__name__} {str(name)[:40]}")
    return dict(state)


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Tensor) for item in value.values())


def _unwrapped(model: nn.Module) -> nn.Module:
    while True:
        parallel = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
        inner = model._modules.get("module" if parallel else _COMPILED)
        if inner is None:
            return model
        model = inner


def _plain_name(name: str, expected: set[str]) -> str:
    """The name without ``_orig_mod`` anywhere, and without ``module`` at its start or where the model has no such."""
    parts = [part for part in name.split(".") if part != _COMPILED]
    while parts and ".".join(parts) not in expected and parts[0] == "module":
        parts = parts[1:]
    if ".".join(parts) not in expected:
        parts = [part for part in parts if part != "module"]
    plain = ".".join(parts)
    return plain if plain in expected else name
