"""The configuration of victims' training."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from semsim_training.client_images.mode import NO_MODE, WrittenMode
from semsim_training.client_images.source import ImageSource
from semsim_training.configuration import Configuration, FrozenModel
from semsim_training.decay import stepped
from semsim_training.defenses.defense import NO_DEFENSE, WrittenDefense
from semsim_training.victims.description import Network


class Schedule(FrozenModel):
    """SGD with Nesterov momentum 0.9 and weight decay, the rate divided by ten at 3/8, 5/8 and 7/8 of the epochs."""

    name: str = "custom"
    epochs: int = Field(ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    batch_size: int = Field(default=64, ge=1)
    loss_scale: float = Field(default=0.5, gt=0)
    """The factor of the cross-entropy. The SemSim paper's code halves it, because its loss is for two labels of each
    image."""

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        return self.learning_rate * stepped(epoch, self.epochs)


SCHEDULES = {
    "paper-cifar100": Schedule(name="paper-cifar100", epochs=200),
    "paper": Schedule(name="paper", epochs=100),
    "short": Schedule(name="short", epochs=16, batch_size=64),
}
"""The schedules by name: ``paper`` and ``paper-cifar100`` are of the SemSim paper's code, ``short`` fits a CPU."""


class VictimTraining(FrozenModel):
    """One victim to train."""

    network: Network
    train: ImageSource
    test: ImageSource
    schedule: Schedule | str = "paper"
    mode: WrittenMode = NO_MODE
    defense: WrittenDefense = NO_DEFENSE
    """The defense on every training gradient, after the whole batch."""
    seed: int = 0
    mixed_precision: bool = False

    @model_validator(mode="after")
    def _known(self) -> Self:
        if isinstance(self.schedule, str) and self.schedule not in SCHEDULES:
            raise ValueError(f"expected a schedule of {', '.join(SCHEDULES)}, got {self.schedule}")
        if {self.train.size, self.test.size} != {self.network.size}:
            raise ValueError(
                f"expected images of the network's {self.network.size} pixels, "
                f"got {self.train.size} for training and {self.test.size} for testing"
            )
        return self

    @property
    def resolved(self) -> Schedule:
        """The schedule, looked up where it is a name."""
        return SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule


class VictimTrainings(Configuration):
    """Several victims that share most of their configuration."""

    victims: Mapping[str, VictimTraining]

    @model_validator(mode="before")
    @classmethod
    def _merge(cls, values: Any) -> Any:
        """Give each victim the values of ``common`` that it does not set."""
        if not isinstance(values, dict) or not isinstance(values.get("victims"), dict):
            return values
        common = values.get("common", {})
        merged = {name: common | (given or {}) for name, given in values["victims"].items()}
        return {key: value for key, value in values.items() if key != "common"} | {"victims": merged}
