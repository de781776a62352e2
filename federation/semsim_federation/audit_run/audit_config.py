"""The configuration of ``semsim audit run``, as people write it in YAML."""

from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.choice import AttackChoice
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.source import ImageChoice
from semsim_training.configuration import LOCATED, Configuration, FrozenModel
from semsim_training.defenses.defense import NO_DEFENSE, Defense, WrittenDefense
from semsim_training.observations.observation import BatchNormMode, Victim
from semsim_training.observations.update_files import with_weights
from semsim_training.reconstructions.federated_averaging import FederatedAveraging
from semsim_training.reconstructions.grid import VictimChoice
from semsim_training.victims.description import Network
from semsim_training.victims.modules import module_from
from semsim_training.victims.state_dicts import plain_module

Shown = Literal["none", "reconstructions", "originals"]
"""The pictures that the page shows: none, the reconstructions, or the originals beside them."""
_Count = Annotated[int, Field(ge=1)]
_Controls = Annotated[
    Annotated[ImageChoice, Tag("source")] | Annotated[int, Field(ge=100), Tag("count")],
    Discriminator(lambda value: "source" if isinstance(value, dict | ImageChoice) else "count"),
]
"""A source of images, or a number. The mistakes in one of them are told without those in the other."""


class AuditedModel(FrozenModel):
    """The network that clients train: code of the user, a checkpoint, or a built-in network."""

    module: str | None = None
    """``FILE.py:NAME`` or ``MODULE:NAME``; a file is relative to the configuration. The code is executed."""
    inputs: Annotated[Inputs | None, LOCATED] = None
    """The images that ``module`` takes."""
    weights: Path | None = None
    """The weights of ``module``, relative to the configuration; ``None`` for those that it begins with."""
    checkpoint: Path | None = None
    """The weights of a victim, with their description beside them, relative to the configuration."""
    network: Network | None = None
    """The description of an untrained built-in network."""
    initialisation: Literal["default", "uniform"] = "default"
    """The weights of an untrained built-in network."""
    seed: int = 0
    """The seed of untrained weights."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.module, self.checkpoint, self.network)) != 1:
            raise ValueError("expected one of module, checkpoint and network")
        if (self.module is None) != (self.inputs is None):
            raise ValueError("expected inputs with a module, and with nothing else")
        if self.weights is not None and self.module is None:
            raise ValueError("expected weights with a module alone")
        return self

    def load(self, base: Path) -> Victim:
        """The network with its weights; paths are relative to ``base``.

        Raises:
            InvalidVictim: it cannot be built or read.
        """
        if self.module is None or self.inputs is None:
            chosen = VictimChoice(
                checkpoint=self.checkpoint, network=self.network, initialisation=self.initialisation, seed=self.seed
            )
            return chosen.load(base)
        place, _, name = self.module.rpartition(":")
        text = f"{base / place}:{name}" if place.endswith(".py") else self.module
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = plain_module(module_from(text, classes=self.inputs.classes))
        return Victim(
            model if self.weights is None else with_weights(model, base / self.weights), self.inputs, self.module
        )


class AuditAxes(FrozenModel):
    """The ways to take part that are compared. The first value of each is the way in which clients take part."""

    batches: tuple[_Count, ...] = (1,)
    """The numbers of images behind an update."""
    epochs: tuple[_Count, ...] = (1,)
    """The passes over these images before a client sends the change of its weights: its local steps."""
    defenses: tuple[Annotated[WrittenDefense, LOCATED], ...] = (NO_DEFENSE,)
    """The defenses of an update, as ``semsim attack`` writes them."""
    rounds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    """The rounds of training that are over when the update is made."""

    @field_validator("batches", "epochs", "defenses", "rounds")
    @classmethod
    def _different(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        texts = [str(value) for value in values]
        if not texts or len(set(texts)) < len(texts):
            raise ValueError(f"expected at least one value, and each once, got [{', '.join(texts)}]")
        return values


class FederatedRounds(FrozenModel):
    """A short federated training on the given images: for the weights of later rounds, and for the cost of defenses."""

    rounds: _Count = 20
    """The rounds of training."""
    clients: _Count = 8
    """The clients that take part in a round."""
    images: _Count = 16
    """The images of a client."""
    seeds: _Count = 3
    """The number of trainings with each defense. Their differences give the intervals."""
    test_images: _Count = 300
    """The images on which the accuracy is measured. Nobody trains on them."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The server's learning rate where clients send gradients; not for clients that train."""


class AuditConfiguration(Configuration):
    """An audit of a federated training."""

    name: str = Field(min_length=1, max_length=80)
    """The name of the training, for the title of the page."""
    model: AuditedModel
    """The network that clients train."""
    images: ImageChoice
    """The images that clients hold, as in ``semsim attack grid``. They are dealt to the audited clients, to the
    training, to its test and, where ``controls`` is a number, to the controls."""
    controls: _Controls = 400
    """Public images of the same kind, or the number of ``images`` that are controls; at least 100."""
    training: Annotated[FederatedAveraging | None, LOCATED] = None
    """The training of a client before it sends the change of its weights, as ``local_training`` in ``semsim attack
    grid``; ``None`` where it sends a gradient."""
    batchnorm: BatchNormMode = "eval"
    """The mode of the clients' batch normalisation."""
    attacks: tuple[str, ...] = ("smooth",)
    """The searches that are tried after the closed forms."""
    axes: AuditAxes
    """The ways to take part that are compared; the first value of each axis is the clients'."""
    federation: FederatedRounds | None = None
    """The training for later rounds and for the cost of defenses; ``None`` for neither."""
    clients: _Count = 4
    """The clients that are audited in each way to take part."""
    seconds: float = Field(default=10.0, gt=0)
    """The time for all attacks on one client's update."""
    minutes: float | None = Field(default=None, gt=0)
    """The time for everything. What did not fit is told in the page, and the same command goes on with it."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """The leakage from which on an image is recognizable; ``None`` for the metric's own."""
    device: Literal["cpu", "cuda"] = "cpu"
    """The device of the attacks."""
    seed: int = Field(default=0, ge=0)
    """The seed of the choice of images, of the defenses' noise and of the attacks."""
    shown: Shown = "reconstructions"
    """The pictures in the page. A reconstruction that leaks shows a client's image."""

    @field_validator("attacks")
    @classmethod
    def _known(cls, attacks: tuple[str, ...]) -> tuple[str, ...]:
        for name in attacks:
            try:
                AttackChoice(preset=name).resolve()
            except InvalidConfiguration as error:
                raise ValueError(str(error)) from error
        return attacks

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        training, axes = self.training, self.axes
        if training is None and axes.epochs != (1,):
            raise ValueError(f"expected a training with epochs [{_listed(axes.epochs)}], got none")
        if training is not None and (training.schedule or training.order):
            raise ValueError("expected a training without schedule and order, which hold for one number of steps alone")
        if training is not None and training.epochs != 1:
            raise ValueError(f"expected the training's epochs under axes, got epochs: {training.epochs} under training")
        federation = self.federation
        if federation is None:
            if max(axes.rounds):
                raise ValueError(f"expected a federation with rounds [{_listed(axes.rounds)}], got none")
            return self
        if max(axes.rounds) > federation.rounds:
            raise ValueError(f"expected rounds up to the {federation.rounds} of federation, got {max(axes.rounds)}")
        if (training is None) != (federation.learning_rate is not None):
            raise ValueError(
                "expected a learning_rate of federation where clients send gradients, and none where they train"
            )
        return self

    @property
    def defenses(self) -> tuple[Defense, ...]:
        """The defenses that are compared; the first one is the clients'."""
        return self.axes.defenses

    @property
    def content(self) -> str:
        """The fields on which the numbers depend, as JSON: others may change between a run and the next."""
        return self.model_dump_json(exclude={"name", "shown", "minutes"})


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values))
