"""Observations that are read from files, so that operators can attack their rounds."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from semsim.exceptions import InvalidUpdate, InvalidVictim
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.observation import BatchNormMode, Observation, Victim, running_statistics
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.victims.building import build_network
from semsim_training.victims.victim_checkpoint import VictimDescription, load_victim, load_weights, read_tensors


def victim_from_files(model: Path, description: Path | None = None) -> Victim:
    """The model that was sent out: a checkpoint with its description, or any state dict with a given ``description``.

    Raises:
        InvalidVictim: a file cannot be read, or the weights are not the network's.
    """
    if description is None:
        if not model.with_suffix(".json").exists():
            raise InvalidVictim(
                f"expected a description of the network at {model.with_suffix('.json')}, or one by --description"
            )
        network, known = load_victim(model)
    else:
        known = VictimDescription.read(description)
        network = build_network(known.network, known.seed, known.initialisation)
        load_weights(network, read_tensors(model), str(model))
    return Victim(network, known.network.inputs, known.network.label, trained=known.training is not None)


SentUpdate = Path | Mapping[str, Tensor]
"""An update as it comes: a file, or tensors by name."""


def observation_of(
    victim: Victim,
    update: SentUpdate,
    kind: UpdateKind,
    *,
    images: int = 1,
    labels: tuple[int, ...] | None = None,
    local_training: LocalTraining | None = None,
    batchnorm: BatchNormMode = "eval",
) -> Observation:
    """The update that came back, with what is known about how it was made.

    Raises:
        InvalidUpdate: the file cannot be read, does not fit the model, or the options contradict the kind.
    """
    if (kind is UpdateKind.GRADIENT) != (local_training is None):
        got = "none" if local_training is None else "one"
        wanted = "no learning rate" if kind is UpdateKind.GRADIENT else "the learning rate of local training"
        raise InvalidUpdate(f"expected {wanted} for an update of kind {kind}, got {got}")
    try:
        tensors = read_tensors(update) if isinstance(update, Path) else dict(update)
    except InvalidVictim as error:
        raise InvalidUpdate(str(error)) from error
    parameters = dict(victim.model.named_parameters())
    buffers = dict(victim.model.named_buffers())
    running = {name: tensors[name].to(torch.float32) for name in running_statistics(victim.model) if name in tensors}
    if kind is UpdateKind.DELTA:
        running = {name: buffers[name] + value for name, value in running.items()}
    if batchnorm == "eval":
        moved = [name for name, value in running.items() if not torch.equal(value, buffers[name])]
        if moved:
            raise InvalidUpdate(
                f"expected batch normalisation in training mode (--batchnorm train) of a client that moved {moved[0]}"
            )
        running = {}
    tensors = {name: value.to(torch.float32) for name, value in tensors.items() if name not in buffers}
    if kind is UpdateKind.AFTER:
        tensors = {name: _difference(name, value, parameters) for name, value in tensors.items()}
    return Observation(
        victim=victim,
        update=Update(tensors, local_training, running),
        images=images,
        batchnorm=batchnorm,
        labels=labels,
    )


def _difference(name: str, after: Tensor, before: Mapping[str, Tensor]) -> Tensor:
    if name not in before or before[name].shape != after.shape:
        return after  # the observation says what is wrong with it
    return after - before[name].detach()
