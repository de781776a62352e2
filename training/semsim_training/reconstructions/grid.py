"""A grid of settings, as a configuration file says it."""

import itertools
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semsim_training.attacks.attack import AttackChoice
from semsim_training.configuration import read_configuration
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.update import LocalTraining
from semsim_training.images.mode import Mode
from semsim_training.images.source import ImageSource
from semsim_training.observations.client import Protocol
from semsim_training.observations.observation import BatchNormMode, Victim
from semsim_training.victims.description import Network
from semsim_training.victims.victim_checkpoint import load_victim

_FROZEN = ConfigDict(frozen=True, extra="forbid")


class ImageChoice(ImageSource):
    """Images to attack: a part of a source, chosen by names and seed, classes as even as can be."""

    count: int = Field(ge=1)
    classes: Annotated[int, Field(ge=1)] | tuple[str, ...] | None = None
    """From so many classes, or from these; ``None`` for all."""
    seed: int = 0


class VictimChoice(BaseModel):
    """A trained victim from its checkpoint, or an untrained one from its description."""

    model_config = _FROZEN

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
            return Victim(self.network.build(self.seed, self.initialisation), self.network)
        model, description = load_victim(base / Path(str(self.checkpoint)))
        return Victim(model, description.network, trained=description.training is not None)


class FederatedAveraging(BaseModel):
    """Local training before a weight delta is sent."""

    model_config = _FROZEN

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    epochs: int = Field(default=1, ge=1)


class Setting(BaseModel):
    """One way to attack one victim on one data set."""

    model_config = _FROZEN

    images: str
    victim: str
    attack: AttackChoice
    mode: str = "none"
    defense: str = "none"
    batch: int = Field(default=1, ge=1)
    """Images a client holds."""
    batchnorm: BatchNormMode = "eval"
    send_statistics: bool = Field(default=False, exclude_if=operator.not_)
    """The client's running statistics come with its update. Grids without it keep their hash."""
    local_training: FederatedAveraging | None = None
    reveal_labels: bool = True
    count: int | None = Field(default=None, ge=1)
    """How many of the images; ``None`` for all that were chosen."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        Mode(self.mode)
        Defense(self.defense)
        self.attack.resolve()
        return self

    @property
    def key(self) -> str:
        """A name that tells settings apart, for files and tables."""
        parts = [self.images, self.victim, self.attack.label]
        parts += [f"mode {self.mode}"] * (self.mode != "none") + [self.defense] * (self.defense != "none")
        parts += [f"b{self.batch}"] * (self.batch > 1) + ["bn-train"] * (self.batchnorm == "train")
        parts += ["statistics-sent"] * self.send_statistics
        if self.local_training is not None:
            training = self.local_training
            parts.append(f"fedavg lr{training.learning_rate:g} b{training.batch_size} e{training.epochs}")
        parts += ["labels-inferred"] * (not self.reveal_labels)
        return re.sub(r"[^A-Za-z0-9.+:-]+", "-", "--".join(parts))

    @property
    def protocol(self) -> Protocol:
        """How the client takes part."""
        training = self.local_training
        return Protocol(
            local_training=None if training is None else LocalTraining(**training.model_dump()),
            batchnorm=self.batchnorm,
            mode=self.mode,
            defense=self.defense,
            reveal_labels=self.reveal_labels,
            send_statistics=self.send_statistics,
        )


class Splits(BaseModel):
    """Shares of the originals; every reconstruction of one original is in one split."""

    model_config = _FROZEN

    train: float = Field(default=0.6, ge=0, le=1)
    validation: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.train + self.validation > 1:
            raise ValueError(f"expected shares of at most 1, got {self.train} and {self.validation}")
        return self


class Grid(BaseModel):
    """Data sets, victims and settings. In ``settings`` any value may be a list: all combinations are meant."""

    model_config = _FROZEN

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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration file.

        Raises:
            InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
        """
        return read_configuration(cls, path)
