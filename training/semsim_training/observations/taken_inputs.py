"""A victim takes the images that are said of it, and gives as many logits as there are classes."""

import logging

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.attackable import independent_copy
from semsim_training.gradients.loss import logits_of
from semsim_training.observations.observation import Victim

_log = logging.getLogger(__name__)
_EQUAL = 1e-3
"""The part of the largest logit by which fused operations of evaluation mode may differ."""


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
    if logits.shape == (2, victim.inputs.classes) and _differs_in_training(model, grey, output):
        _log.warning(
            "%s computes otherwise in training mode, batch normalisation and dropout aside; attacks compute as in "
            "evaluation mode, and may not explain what a client did in training mode",
            victim.name,
        )
    if logits.shape != (2, victim.inputs.classes):
        raise InvalidVictim(
            f"expected logits of {victim.inputs.classes} classes from {victim.name}, got {logits.shape[1]}"
        )


def _differs_in_training(model: nn.Module, images: Tensor, output: object) -> bool:
    """True where other outputs come in training mode, as of auxiliary heads, instance statistics, stochastic depth."""
    model.train()
    for layer in model.modules():
        if isinstance(layer, _BatchNorm | _DropoutNd):
            layer.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            trained = model(images)
        logits, other = logits_of(output), logits_of(trained)
    except Exception as error:  # noqa: BLE001  # the user's code raises what it likes, and attacks never run it so
        _log.debug("no logits in training mode", exc_info=error)
        return True
    if type(trained) is not type(output):
        return True
    return other.shape != logits.shape or bool((other - logits).abs().max() > _EQUAL * logits.abs().max())
