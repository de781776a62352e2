"""Tensors as federated learning hands them over: by name or in order, in memory or in a file."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate, SemSimError
from semsim_training.gradients.attackable import trained_names
from semsim_training.victims.state_dicts import plain_names, state_dict_of
from semsim_training.victims.tensor_files import read_tensor_file

Array = Tensor | NDArray[Any]
SentTensors = Path | Mapping[str, Array] | Sequence[Array]
"""Tensors or arrays by name, or in the order of ``state_dict`` or of the parameters; or a file of them.

Files are .safetensors, .npz (by name, or ``arr_0`` and so on in order), and PyTorch files of a state dict, of a
checkpoint with a state dict, or of a list of tensors.
"""
_NO_LISTS = (str, bytes, bytearray, memoryview)
"""The sequences of Python that are no lists of tensors."""
_COUNTER = "num_batches_tracked"


_SMALL = 2**20
"""The values that a tensor of another model may have: its names and shapes are compared later, and say more."""


def named_tensors(sent: SentTensors, model: nn.Module, refusal: type[SemSimError] = InvalidUpdate) -> dict[str, Tensor]:
    """The tensors on the CPU, dense, by the names of ``model``'s parameters and buffers.

    Prefixes of wrappers are taken off. Of a parameter with two names the first one counts. What is not the model's
    stays under its own name, for the caller to refuse.

    Raises:
        SemSimError: of the class ``refusal``: a file cannot be read or holds something else than tensors, a list does
            not fit the model, two tensors have one name, or one has more values than any of the model's.
    """
    source = str(sent) if isinstance(sent, Path) else "the tensors"
    content = read_tensor_file(sent, refusal) if isinstance(sent, Path) else sent
    numbers = (value.numel() for value in model.state_dict().values() if isinstance(value, Tensor))
    most = max(_SMALL, *numbers)
    if isinstance(content, Mapping):
        if all(isinstance(value, Tensor | np.ndarray | np.generic) for value in content.values()):
            content = {name: _dense(value, str(name), most, refusal) for name, value in content.items()}
        tensors = plain_names(state_dict_of(content, source, refusal), model, refusal)
    elif isinstance(content, Sequence) and not isinstance(content, _NO_LISTS):
        dense = [_dense(value, f"tensor {i}", most, refusal) for i, value in enumerate(content)]
        tensors = _in_order(dense, model, refusal)
    else:
        wanted = f" from {source}" if isinstance(sent, Path) else ", or the pathlib.Path of their file"
        raise refusal(f"expected tensors by name or in a list{wanted}, got {type(content).__name__}")
    aliases = {name for name, _ in model.named_parameters(remove_duplicate=False)} - {
        name for name, _ in model.named_parameters()
    }
    return {name: _dense(value, name, most, refusal) for name, value in tensors.items() if name not in aliases}


def _dense(value: object, name: str, most: int, refusal: type[SemSimError]) -> Tensor:
    """The value as a dense tensor of at most ``most`` real numbers on the CPU.

    Sparse tensors, and those that repeat their values, are small in memory and may be immense when they are dense.
    """
    if not isinstance(value, Tensor | np.ndarray | np.generic):
        raise refusal(f"expected a tensor or an array for {name}, got {type(value).__name__}")
    if isinstance(value, Tensor) and (value.is_quantized or value.is_complex()):
        raise refusal(f"expected real numbers in {name}, got {value.dtype}")
    if isinstance(value, Tensor) and (value.is_meta or value.is_nested):
        raise refusal(f"expected numbers in {name}, got a {'meta' if value.is_meta else 'nested'} tensor")
    if math.prod(value.shape) > most:
        raise refusal(
            f"expected at most {most} values in {name}, as many as the model's largest tensor or a million, got shape "
            f"{tuple(value.shape)}"
        )
    if not isinstance(value, Tensor):
        value = _from_numpy(np.asarray(value), name, refusal)
    value = value.detach()
    return (value if value.layout is torch.strided else value.to_dense()).cpu()


def _from_numpy(array: NDArray[Any], name: str, refusal: type[SemSimError]) -> Tensor:
    if array.dtype.name == "bfloat16":  # of the package ml_dtypes, which PyTorch does not know
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise refusal(f"expected real numbers in {name}, got an array of {array.dtype}")
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))


def _in_order(values: list[Tensor], model: nn.Module, refusal: type[SemSimError]) -> dict[str, Tensor]:
    """The values by name: in the order of the state dict, with or without its counters, or of the parameters."""
    state = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    parameters = [name for name, _ in model.named_parameters()]
    orders = {
        "state_dict": list(state),
        f"state_dict without {_COUNTER}": [name for name in state if not name.endswith(_COUNTER)],
        "parameters": parameters,
        "parameters that require a gradient": list(trained_names(model)),
    }
    fitting = [names for names in orders.values() if len(names) == len(values)]
    for names in fitting:
        if all(state[name].shape == value.shape for name, value in zip(names, values, strict=True)):
            return dict(zip(names, values, strict=True))
    if not fitting:
        lengths = ", ".join(f"{len(names)} ({order})" for order, names in orders.items())
        raise refusal(f"expected a list of as many tensors as the model has: {lengths}; got {len(values)}")
    place, name = next((i, name) for i, name in enumerate(fitting[0]) if state[name].shape != values[i].shape)
    raise refusal(
        f"expected {name} of shape {tuple(state[name].shape)} at place {place} of the list, got "
        f"{tuple(values[place].shape)}"
    )
