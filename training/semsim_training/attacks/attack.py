"""The front door: one client's update to the images that it gives away."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import nn

from semsim.exceptions import InvalidConfiguration
from semsim.progress import Progress, silent
from semsim_training.attacks.attack_arguments import (
    refuse_other_options,
    refuse_other_types,
    refuse_weights_that_are_not_finite,
    whole_labels,
    whole_number,
)
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import AttackChoice
from semsim_training.attacks.dispatch import run_attack
from semsim_training.attacks.reconstruction import Explanation, Reconstruction, Status
from semsim_training.attacks.search import Options
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.observation import BatchNormMode, Victim
from semsim_training.observations.sent_tensors import SentTensors
from semsim_training.observations.update_files import observation_of, with_weights
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.victims.state_dicts import plain_module

__all__ = [
    "AttackChoice", "Explanation", "Inputs", "LocalTraining", "Reconstruction", "Status", "UpdateKind", "attack",
]  # fmt: skip


def attack(
    model: nn.Module,
    update: SentTensors,
    *,
    inputs: Inputs,
    kind: UpdateKind | str = UpdateKind.GRADIENT,
    before: SentTensors | None = None,
    images: int = 1,
    labels: Sequence[int] | None = None,
    training: LocalTraining | None = None,
    batchnorm: BatchNormMode = "eval",
    attack: AttackChoice | AttackRecipe | str = "inversed",
    seconds: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Reconstruction:
    """Attack one client's update.

    Args:
        model: the network as the server sent it out.
        update: the client's answer, by parameter names or in ``state_dict`` order, in memory or in a file.
        inputs: the size, channels, classes and normalisation of the images that the network takes.
        kind: ``gradient`` of the mean loss, ``delta`` (after minus before), or ``after``, the state after training.
        before: the weights that were sent out, where they are not those of ``model``; in any form of ``update``.
        images: the number of images behind the update.
        labels: their classes, where they are known; otherwise they are inferred from the update.
        training: the local training behind a ``delta`` or a state ``after`` it.
        batchnorm: ``train`` where the client's batch normalisation used the statistics of its batches.
        attack: a published attack or a plug-in by name, or with changes; or a recipe of your own.
        seconds: the time after which the search ends with the best so far.
        seed: the seed of the first candidates.
        device: ``cpu`` or ``cuda``.
        progress: it is told how many iterations are done.

    Returns:
        The images with the share of the update that they explain. A ``status`` other than ``matched`` says that this
        attack has not shown a leak. It does not say that there is none.

    Raises:
        InvalidUpdate: the update is not the model's, contradicts what is said of it, or the attack cannot work on it.
        InvalidVictim: the model cannot be attacked; the message names the layer.
        InvalidConfiguration: no attack, kind of update or device has this name, or there is no time.
    """
    refuse_other_types(model, inputs)
    images, given = whole_number(images, "a whole number of images"), whole_labels(labels)
    if not isinstance(kind, str) or kind not in set(UpdateKind):
        raise InvalidConfiguration(f"expected a kind of update of {', '.join(UpdateKind)}, got {kind}")
    if batchnorm not in get_args(BatchNormMode):
        raise InvalidConfiguration(
            f"expected batch normalisation {' or '.join(get_args(BatchNormMode))}, got {batchnorm}"
        )
    refuse_other_options(attack, seconds, device)
    seed = whole_number(seed, "a whole number as seed")
    choice = AttackChoice(preset=attack) if isinstance(attack, str) else attack
    _require_device(device)
    if isinstance(choice, AttackChoice) and seconds is None:
        seconds = choice.seconds
    recipe = choice.resolve() if isinstance(choice, AttackChoice) else choice
    network = plain_module(model)
    network = network if before is None else with_weights(network, before)
    refuse_weights_that_are_not_finite(network)
    observation = observation_of(
        Victim(network, inputs, type(network).__name__),
        update,
        UpdateKind(kind),
        images=images,
        labels=given,
        local_training=training,
        batchnorm=batchnorm,
    )
    options = Options(device=device, seconds=seconds)
    return run_attack(recipe, [observation], [seed], options, progress=progress)[0]


def _require_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfiguration(f"expected a device of this machine, got {device}: {reason}") from error
