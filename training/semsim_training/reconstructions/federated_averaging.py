"""The local training of a grid's clients, as a configuration says it."""

from dataclasses import fields
from typing import Any, Self

from pydantic import Field, model_validator

from semsim_training.configuration import FrozenModel
from semsim_training.gradients.update import LocalTraining, OptimiserName
from semsim_training.seeds import stable_hash

_LONGEST = 40
"""The most characters of a value in a setting's name."""


def _added(default: Any) -> Any:
    """A field that grids of earlier versions do not have: left at its default, it changes no grid's hash."""
    return Field(default=default, exclude_if=lambda value: value == default)


class FederatedAveraging(FrozenModel):
    """Local training before the change of the weights is sent, with ``torch.optim``'s names and defaults."""

    learning_rate: float = Field(gt=0)
    """The learning rate of each step, where ``schedule`` does not change it."""
    batch_size: int = Field(ge=1)
    """The number of images of each step; the last step of an epoch takes what is left."""
    epochs: int = Field(default=1, ge=1)
    """The passes over all of the client's images."""
    optimiser: OptimiserName = _added("sgd")
    """The optimiser of ``torch.optim``."""
    momentum: float = _added(0.0)
    """The momentum of SGD."""
    nesterov: bool = _added(False)
    """True for SGD with Nesterov's momentum."""
    weight_decay: float = _added(0.0)
    """An L2 penalty for SGD and Adam, decoupled for AdamW."""
    betas: tuple[float, float] = _added((0.9, 0.999))
    """The decays of Adam's and AdamW's moments."""
    epsilon: float = _added(1e-8)
    """The number that Adam and AdamW add to the denominator."""
    clip_norm: float | None = _added(None)
    """The L2 norm to which each step's whole gradient is clipped."""
    schedule: tuple[float, ...] = _added(())
    """The factor of the learning rate at each step, in order; empty for a constant rate."""
    order: tuple[tuple[int, ...], ...] = _added(())
    """The indices of the images as each epoch takes them; empty where every epoch keeps the images' order."""

    @property
    def training(self) -> LocalTraining:
        """The training itself.

        Raises:
            InvalidUpdate: the options do not go together.
        """
        return LocalTraining(**{field.name: getattr(self, field.name) for field in fields(LocalTraining)})

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        _ = self.training
        return self

    @property
    def label(self) -> str:
        """A short name for tables: ``fedavg lr0.01 b2 e1 optimiser adam``."""
        named = ("learning_rate", "batch_size", "epochs")
        others = {name: value for name, value in self.model_dump(exclude_defaults=True).items() if name not in named}
        parts = [f"fedavg lr{self.learning_rate:g} b{self.batch_size} e{self.epochs}"]
        return " ".join([*parts, *(f"{name} {_short(value)}" for name, value in others.items())])


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{stable_hash(text):x}"
