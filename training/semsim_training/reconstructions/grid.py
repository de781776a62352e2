"""A grid of settings, as a configuration file says it."""

import itertools
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from semsim_training.attacks.choice import AttackChoice
from semsim_training.client_images.mode import NO_MODE, WrittenMode
from semsim_training.client_images.source import ImageChoice
from semsim_training.configuration import Configuration, FrozenModel
from semsim_training.defenses.defense import NO_DEFENSE, WrittenDefense
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client import Protocol
from semsim_training.observations.observation import BatchNormMode, Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.victim_checkpoint import load_victim


class VictimChoice(FrozenModel):
    """A trained victim from its checkpoint, or an untrained one from its description."""

    checkpoint: Path | None = None
    network: Network | None = None
    initialisation: Literal["default", "uniform"] = "default"
    seed: int = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.checkpoint is None) == (self.network is None):
            raise ValueError("expected one of checkpoint and network")
        return self

    def load(self, base: Path) -> Victim:
        """The victim; a checkpoint's path is relative to ``base``.

        Raises:
            InvalidVictim: it cannot be built or read.
        """
        if self.network is not None:
            built = build_network(self.network, self.seed, self.initialisation)
            return Victim(built, self.network.inputs, self.network.label)
        model, description = load_victim(base / Path(str(self.checkpoint)))
        network = description.network
        return Victim(model, network.inputs, network.label, trained=description.training is not None)


class FederatedAveraging(FrozenModel):
    """Local training before a weight delta is sent."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    epochs: int = Field(default=1, ge=1)


class Setting(FrozenModel):
    """One way to attack one victim on one data set."""

    images: str
    victim: str
    attack: AttackChoice
    mode: WrittenMode = NO_MODE
    defense: WrittenDefense = NO_DEFENSE
    batch: int = Field(default=1, ge=1)
    """The number of images that a client holds."""
    batchnorm: BatchNormMode = "eval"
    send_statistics: bool = Field(default=False, exclude_if=operator.not_)
    """True where the client's running statistics come with its update. Grids without it keep their hash."""
    local_training: FederatedAveraging | None = None
    reveal_labels: bool = True
    count: int | None = Field(default=None, ge=1)
    """The number of images that are attacked; ``None`` for all that were chosen."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        self.attack.resolve()
        return self

    @property
    def key(self) -> str:
        """The setting's name, which tells it apart in files and tables."""
        parts = [self.images, self.victim, self.attack.label]
        parts += [f"mode {self.mode}"] * (self.mode != NO_MODE) + [self.defense.text] * (self.defense != NO_DEFENSE)
        parts += [f"b{self.batch}"] * (self.batch > 1) + ["bn-train"] * (self.batchnorm == "train")
        parts += ["statistics-sent"] * self.send_statistics
        if self.local_training is not None:
            training = self.local_training
            parts.append(f"fedavg lr{training.learning_rate:g} b{training.batch_size} e{training.epochs}")
        parts += ["labels-inferred"] * (not self.reveal_labels)
        return re.sub(r"[^A-Za-z0-9.+:-]+", "-", "--".join(parts))

    @property
    def protocol(self) -> Protocol:
        """The client's part in the round."""
        training = self.local_training
        return Protocol(
            local_training=None if training is None else LocalTraining(**training.model_dump()),
            batchnorm=self.batchnorm,
            mode=self.mode,
            defense=self.defense,
            reveal_labels=self.reveal_labels,
            send_statistics=self.send_statistics,
        )


class Splits(FrozenModel):
    """Shares of the originals; every reconstruction of one original is in one split."""

    train: float = Field(default=0.6, ge=0, le=1)
    validation: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.train + self.validation > 1:
            raise ValueError(f"expected shares of at most 1, got {self.train} and {self.validation}")
        return self


class Grid(Configuration):
    """Data sets, victims and settings. In ``settings`` any value may be a list: all combinations are meant."""

    name: str
    seed: int = 0
    splits: Splits = Splits()
    batch_size: int | None = Field(default=None, ge=1)
    """Clients in one graph; ``None`` to measure what is fastest for each victim."""
    compile: bool = False
    images: Mapping[str, ImageChoice]
    victims: Mapping[str, VictimChoice]
    settings: tuple[Setting, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("settings"), list):
            return values
        expanded = []
        for entry in values["settings"]:
            if not isinstance(entry, dict):
                return values
            choices = [value if isinstance(value, list) else [value] for value in entry.values()]
            expanded += [dict(zip(entry, chosen, strict=True)) for chosen in itertools.product(*choices)]
        return values | {"settings": expanded}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for setting in self.settings:
            for kind, name, known in (
                ("images", setting.images, self.images),
                ("victim", setting.victim, self.victims),
            ):
                if name not in known:
                    raise ValueError(f"expected {kind} of {', '.join(known)} in a setting, got {name}")
        keys = [setting.key for setting in self.settings]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"expected settings that differ, got twice: {twice[0]}")
        return self
