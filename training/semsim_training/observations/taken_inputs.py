"""A victim takes the images that are said of it, and gives as many logits as there are classes."""

import logging

import torch

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.attackable import independent_copy
from semsim_training.gradients.loss import logits_of
from semsim_training.observations.observation import Victim
from semsim_training.observations.training_mode import otherwise_in_training

_log = logging.getLogger(__name__)


def refuse_other_inputs(victim: Victim) -> None:
    """Run a copy of the victim once, on two grey images.

    Raises:
        InvalidVictim: it fails on images of this shape, or gives another number of logits.
    """
    channels, height, width = victim.inputs.shape
    model = independent_copy(victim.model).eval()
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise InvalidVictim(f"expected a network with parameters, got none in {victim.name}")
    grey = torch.zeros(2, channels, height, width, dtype=parameter.dtype, device=parameter.device)
    try:
        with torch.no_grad():
            output = model(grey)
    except (Exception, SystemExit) as error:  # the user's code raises what it likes
        reason = " ".join(str(error).split())[:200]
        raise InvalidVictim(
            f"expected {victim.name} to take images of {channels} channels and {height} x {width} pixels, got "
            f"{type(error).__name__}: {reason}"
        ) from error
    logits = logits_of(output)
    if logits.shape != (2, victim.inputs.classes):
        raise InvalidVictim(
            f"expected logits of {victim.inputs.classes} classes from {victim.name}, got {logits.shape[1]}"
        )
    if told := otherwise_in_training(model, victim.inputs.shape):
        _log.warning("%s: %s", victim.name, told)
