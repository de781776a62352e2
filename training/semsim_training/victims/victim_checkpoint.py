"""Victims on disk: weights in safetensors, and beside them a JSON file that says what they are."""

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from semsim_training.configuration import Description, FrozenModel
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.tensor_files import read_tensor_file


class VictimTrainingRecord(FrozenModel):
    """The training of a victim, and the share of test images that it classifies right."""

    dataset: str
    images: int
    mode: str
    """The mode of the images: ``none``, ``crop`` or augmentation policies, such as ``3-1-7+43-18-18``."""
    defense: str
    """The defense on the training gradients: ``none``, ``gaussian:STD`` or ``prune:SHARE``."""
    epochs: int
    preset: str
    seed: int
    test_images: int
    test_accuracy: float


class VictimDescription(Description):
    """A network, and the origin of its weights."""

    CONTENT = "a victim's description"
    REFUSAL = InvalidVictim

    network: Network
    initialisation: Literal["default", "uniform"] = "default"
    seed: int = 0
    class_names: tuple[str, ...] = ()
    training: VictimTrainingRecord | None = None
    """The training; ``None`` for an untrained victim."""


def save_victim(model: nn.Module, description: VictimDescription, path: Path) -> None:
    """Write ``path`` (safetensors) and the description beside it, with suffix .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, path)
    path.with_suffix(".json").write_text(description.model_dump_json(indent=2) + "\n")


def load_victim(path: Path) -> tuple[nn.Module, VictimDescription]:
    """The victim of a checkpoint, in evaluation mode.

    Raises:
        InvalidVictim: a file is missing, or the weights are not the network's.
    """
    description = VictimDescription.read(path.with_suffix(".json"))
    model = build_network(description.network, description.seed, description.initialisation)
    load_weights(model, read_tensors(path), str(path))
    return model.eval(), description


def load_weights(model: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Put ``weights`` into a network, which needs all of them and no others.

    Raises:
        InvalidVictim: names or shapes are not the network's, or values are not finite; the message names them.
    """
    expected = model.state_dict()
    missing, surplus = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
    if missing or surplus:
        raise InvalidVictim(
            f"expected the {len(expected)} tensors of {type(model).__name__} in {source}, got {len(weights)}: "
            f"missing {_some(missing)}, not the network's {_some(surplus)}"
        )
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            raise InvalidVictim(
                f"expected {name} of shape {tuple(expected[name].shape)} in {source}, got {tuple(value.shape)}"
            )
        if not torch.isfinite(value).all():
            raise InvalidVictim(f"expected finite weights in {source}, got NaN or infinity in {name}")
    model.load_state_dict(weights)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that holds a state dict and nothing else.

    Raises:
        InvalidVictim: the file is missing, or holds something else.
    """
    state = read_tensor_file(path, InvalidVictim)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidVictim(f"expected a state dict (names to tensors) at {path}, got {type(state).__name__}")
    return state


def _some(names: list[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "none"
