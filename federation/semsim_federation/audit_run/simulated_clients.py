"""Clients of a federated training, computed by plain PyTorch: the update of one, and the rounds of many."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_federation.audit_run.client_data import DealtImages, HeldImages
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import normalise
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Victim, running_statistics
from semsim_training.seeds import stable_hash

_TESTED_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class TrainingCourse:
    """A federated training from round to round."""

    accuracy: tuple[float, ...]
    """The share of test images that get their right class before the first round, and after each."""
    networks: Mapping[int, nn.Module]
    """The networks after some of the rounds."""


def local_training(configuration: AuditConfiguration, epochs: int) -> LocalTraining | None:
    """The training of a client with so many epochs; None where clients send gradients."""
    if configuration.training is None:
        return None
    return replace(configuration.training.training, epochs=epochs)


def client_update(
    configuration: AuditConfiguration, victim: Victim, held: HeldImages, epochs: int, defense: Defense, seed: int
) -> dict[str, Tensor]:
    """The tensors that a client sends: a gradient, or the change of its weights.

    A client whose batch normalisation is in training mode sends the change of its running statistics, too, as clients
    do that send whole state dicts.

    Raises:
        InvalidUpdate: the update is not finite.
    """
    training = local_training(configuration, epochs)
    protocol = Protocol(
        local_training=training,
        batchnorm=configuration.batchnorm,
        defense=defense,
        send_statistics=training is not None and configuration.batchnorm == "train",
    )
    update = observe(victim, held.images, held.labels, protocol, seed).update
    before = running_statistics(victim.model)
    moved = {name: value - before[name] for name, value in update.running_statistics.items()}
    return {**update.tensors, **moved}


def course(
    configuration: AuditConfiguration,
    victim: Victim,
    dealt: DealtImages,
    defense: Defense,
    seed: int,
    *,
    keep: Collection[int] = (),
) -> TrainingCourse:
    """Train by federated averaging: in each round other clients, whose updates are defended each for itself.

    Args:
        configuration: the audit, with its ``federation``.
        victim: the network to begin with.
        dealt: the images.
        defense: the defense of every update.
        seed: chooses the images of each client, and the defense's noise.
        keep: the rounds whose networks are wanted.

    Raises:
        InvalidUpdate: an update is not finite, since the training diverged.
    """
    federation = configuration.federation
    rounds = 0 if federation is None else federation.rounds
    model = copy.deepcopy(victim.model)
    current = replace(victim, model=model)
    measured = [_accuracy(model, victim.inputs, dealt.test)]
    networks = {0: victim.model} if 0 in keep else {}
    for number in range(1, rounds + 1):
        assert federation is not None  # noqa: S101  # there are no rounds without it
        rng = np.random.default_rng([configuration.seed, seed, number])
        chosen = rng.permutation(len(dealt.training))[: federation.clients * federation.images]
        sent = [
            client_update(
                configuration,
                current,
                dealt.training.take(indices),
                configuration.axes.epochs[0],
                defense,
                stable_hash(f"{configuration.seed}/{seed}/{number}/{client}"),
            )
            for client, indices in enumerate(chosen.reshape(federation.clients, federation.images))
        ]
        _average(model, sent, 1.0 if federation.learning_rate is None else -federation.learning_rate)
        measured.append(_accuracy(model, victim.inputs, dealt.test))
        if number in keep:
            networks[number] = copy.deepcopy(model)
    return TrainingCourse(tuple(measured), networks)


@torch.no_grad()
def _average(model: nn.Module, sent: list[dict[str, Tensor]], factor: float) -> None:
    """Add the mean of the updates, times a factor, to the network's weights and statistics."""
    state = dict([*model.named_parameters(), *model.named_buffers()])
    for name in sent[0]:
        mean = torch.stack([update[name] for update in sent]).mean(dim=0)
        state[name].add_(factor * mean.to(state[name]))


@torch.no_grad()
def _accuracy(model: nn.Module, inputs: Inputs, test: HeldImages) -> float:
    model.eval()
    right = 0
    for start in range(0, len(test), _TESTED_AT_ONCE):
        part = test.take(slice(start, start + _TESTED_AT_ONCE))
        pixels = normalise(part.images, inputs).to(next(model.parameters()))
        right += int((logits_of(model(pixels)).argmax(1).numpy() == part.labels).sum())
    return right / max(len(test), 1)
