"""A grid of settings, as a configuration file says it."""

import itertools
import operator
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails

from semsim_training.attacks.choice import AttackChoice
from semsim_training.client_images.mode import NO_MODE, WrittenMode
from semsim_training.client_images.source import ImageChoice
from semsim_training.configuration import LOCATED, Configuration, FrozenModel
from semsim_training.defenses.defense import NO_DEFENSE, WrittenDefense
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import BatchNormMode, Victim
from semsim_training.reconstructions.federated_averaging import FederatedAveraging
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.victim_checkpoint import VictimDescription, load_victim


class VictimChoice(FrozenModel):
    """A trained victim from its checkpoint, or an untrained one from its description."""

    checkpoint: Path | None = None
    """The weights, safetensors, with their description beside them; relative to the grid's file."""
    network: Network | None = None
    """The description of an untrained victim. Either this or ``checkpoint`` is given."""
    initialisation: Literal["default", "uniform"] = "default"
    """The weights of an untrained victim: those of its layers, or uniform ones, for ``lenet`` alone."""
    seed: int = 0
    """The seed of an untrained victim's weights."""

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

    def described(self, base: Path) -> Network:
        """The description of the victim's network, with the errors of :meth:`load`."""
        if self.network is not None:
            return self.network
        return VictimDescription.read((base / Path(str(self.checkpoint))).with_suffix(".json")).network


def _resolved(attack: AttackChoice) -> AttackChoice:
    if attack.generator is None:  # whether its file is there is no question of the grid's text
        attack.resolve()
    return attack


class Setting(FrozenModel):
    """One way to attack one victim on one data set."""

    images: str
    """The name of some of the grid's ``images``."""
    victim: str
    """The name of one of the grid's ``victims``."""
    attack: Annotated[AttackChoice, AfterValidator(_resolved), LOCATED]
    """The attack, with what is changed of its preset."""
    mode: Annotated[WrittenMode, LOCATED] = NO_MODE
    """The augmentation policies by which clients change their images, such as ``3-1-7``."""
    defense: Annotated[WrittenDefense, LOCATED] = NO_DEFENSE
    """The client's defense of its update, such as ``clip:1.0+gaussian:1e-3``."""
    batch: int = Field(default=1, ge=1)
    """The number of images that a client holds."""
    batchnorm: BatchNormMode = "eval"
    """The mode of the client's batch normalisation."""
    send_statistics: bool = Field(default=False, exclude_if=operator.not_)  # grids without it keep their hash
    """True where the client's running statistics come with its update."""
    local_training: Annotated[FederatedAveraging | None, LOCATED] = None
    """The training after which a client sends the change of its weights; ``None`` where it sends a gradient."""
    reveal_labels: bool = True
    """True where the attacker knows the labels of the client's images."""
    count: int | None = Field(default=None, ge=1)
    """The number of images that are attacked; ``None`` for all that were chosen."""

    @property
    def key(self) -> str:
        """The setting's name, which tells it apart in files and tables."""
        parts = [self.images, self.victim, self.attack.label]
        parts += [f"mode {self.mode}"] * (self.mode != NO_MODE) + [self.defense.text] * (self.defense != NO_DEFENSE)
        parts += [f"b{self.batch}"] * (self.batch > 1) + ["bn-train"] * (self.batchnorm == "train")
        parts += ["statistics-sent"] * self.send_statistics
        parts += [] if self.local_training is None else [self.local_training.label]
        parts += ["labels-inferred"] * (not self.reveal_labels)
        return re.sub(r"[^A-Za-z0-9.+:-]+", "-", "--".join(parts))

    @property
    def protocol(self) -> Protocol:
        """The client's part in the round."""
        training = self.local_training
        return Protocol(
            local_training=None if training is None else training.training,
            batchnorm=self.batchnorm,
            mode=self.mode,
            defense=self.defense,
            reveal_labels=self.reveal_labels,
            send_statistics=self.send_statistics,
        )


class Splits(FrozenModel):
    """Shares of the originals; every reconstruction of one original is in one split."""

    train: float = Field(default=0.6, ge=0, le=1)
    """The share of the originals that are for training."""
    validation: float = Field(default=0.2, ge=0, le=1)
    """The share of the originals that are for validation; what is left is the split ``test``."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.train + self.validation > 1:
            raise ValueError(f"expected shares of at most 1, got {self.train} and {self.validation}")
        return self


def _combined(entries: Any) -> Any:
    """The settings of entries whose values may be lists: one for each combination. A mistake is one of its entry."""
    if not isinstance(entries, list):
        return entries
    settings: list[Setting] = []
    wrong: list[InitErrorDetails] = []
    for number, entry in enumerate(entries):
        for combination in _combinations(entry):
            try:
                settings.append(Setting.model_validate(combination))
            except ValidationError as error:
                wrong += [_of_entry(number, details) for details in error.errors(include_url=False)]
    if wrong:
        raise ValidationError.from_exception_data("settings", wrong)
    return settings


def _combinations(entry: Any) -> Iterable[Any]:
    if not isinstance(entry, dict):
        return [entry]
    # An empty list is no choice: it stays, and is refused as the value that it is.
    choices = [value if isinstance(value, list) and value else [value] for value in entry.values()]
    return (dict(zip(entry, chosen, strict=True)) for chosen in itertools.product(*choices))


def _of_entry(number: int, details: ErrorDetails) -> InitErrorDetails:
    return InitErrorDetails(
        type=details["type"], loc=(number, *details["loc"]), input=details["input"], ctx=details.get("ctx", {})
    )


class Grid(Configuration):
    """Data sets, victims and settings. In ``settings`` any value may be a list: all combinations are meant."""

    name: str
    """The name of the reconstruction set."""
    seed: int = 0
    """The seed of clients and attacks."""
    splits: Splits = Splits()
    """The shares of the originals that are for training and for validation."""
    batch_size: int | None = Field(default=None, ge=1)
    """The number of clients in one graph; ``None`` to measure what is fastest for each victim."""
    compile: bool = False
    """True to send each victim's graph through TorchInductor."""
    images: Mapping[str, ImageChoice]
    """Images by names of your own."""
    victims: Mapping[str, VictimChoice]
    """Victims by names of your own."""
    settings: Annotated[tuple[Setting, ...], BeforeValidator(_combined), Field(min_length=1)]
    """The settings: the images, victims and attacks that meet."""

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
