"""Updates that are nearly those of the victim, or something else, in memory and in files."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from semsim_training.observations.update_kind import UpdateKind
from tests.fuzzing.files import Edit, changes
from tests.fuzzing.values import tensors, values

_SHAPES: dict[Any, tuple[int, ...]] = {
    "0.weight": (2, 3, 3, 3), "0.bias": (2,), "1.weight": (2,), "1.bias": (2,), "1.running_mean": (2,),
    "1.running_var": (2,), "1.num_batches_tracked": (), "3.weight": (2, 98), "3.bias": (2,),
}  # fmt: skip
"""The names and shapes of the victim's state."""
_SUFFIXES = (".pt", ".npz", ".safetensors")
_DTYPES = (*[torch.float32] * 3, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8)


def _waves(shape: tuple[int, ...], scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.arange(1, 1 + int(np.prod(shape)), dtype=torch.float32).sin() * scale).reshape(shape).to(dtype)


@st.composite
def states(draw: st.DrawFn) -> Any:
    """Tensors by name or in a list."""
    left_out = draw(st.sampled_from(["nothing", "running", "num_batches"]))
    state: dict[Any, Any] = {name: _waves(shape) for name, shape in _SHAPES.items() if left_out not in name}
    for _ in range(draw(st.integers(0, 3))):
        name = draw(_NAMES)
        match draw(st.integers(0, 5)):
            case 0:
                state.pop(name, None)
            case 1:
                state[name] = draw(values())
            case 2:
                state[name] = draw(tensors())
            case _:
                scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e30, float("nan"), float("inf")]))
                state[name] = _waves(_SHAPES.get(name, (2,)), scale, draw(st.sampled_from(_DTYPES)))
    match draw(st.integers(0, 7)):
        case 0:
            return list(state.values())
        case 1:
            return {draw(st.sampled_from(["state_dict", "model", "x"])): state, "epoch": 3}
        case 2:
            return draw(values())
        case 3:
            return {name: value.numpy() if _plain(value) else value for name, value in state.items()}
        case _:
            return state


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except (TypeError, ValueError):
        return False
    return True


_ANY_NAME = values().filter(_hashable)
_NAMES = st.one_of(st.sampled_from([*_SHAPES, "module.0.weight", "_orig_mod.3.bias", "x", ""]), _ANY_NAME)


def _plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype is torch.float32 and not value.requires_grad and _is_dense(value)


def _is_dense(value: Tensor) -> bool:
    return value.layout is torch.strided and not value.is_meta


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """A file of an update, and its damage."""

    suffix: str
    written_as: str
    state: Any
    edits: list[Edit]
    kind: UpdateKind

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        data = _saved(self.state, self.written_as)
        for edit in self.edits:
            data = edit.apply(data)
        return data


def _saved(state: Any, suffix: str) -> bytes:
    """The file of a state; of the victim's own where this format does not hold it."""
    buffer = io.BytesIO()
    try:
        match suffix:
            case ".pt":
                torch.save(state, buffer)
            case ".npz":
                np.savez(buffer, **{name: np.asarray(value) for name, value in state.items()})
            case _:
                return save(state)
    except Exception:  # noqa: BLE001  # the writers raise what they like at what they cannot write
        return _saved({name: _waves(shape) for name, shape in _SHAPES.items()}, suffix)
    return buffer.getvalue()


UPDATES = st.tuples(states(), st.sampled_from(list(UpdateKind)), st.integers(0, 3))
UPDATE_FILES = st.builds(
    lambda suffix, other, *rest: UpdateFile(suffix, other or suffix, *rest),
    st.sampled_from(_SUFFIXES),
    st.one_of(st.none(), st.none(), st.none(), st.sampled_from(_SUFFIXES)),
    states(),
    st.one_of(st.just([]), changes(most=2), changes(most=2)),
    st.sampled_from(list(UpdateKind)),
)
