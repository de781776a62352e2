"""Networks that compute in training mode what attacks do not: auxiliary heads, image statistics, stochastic depth."""

import logging

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from semsim_training.gradients.attackable import independent_copy
from semsim_training.gradients.loss import logits_of

_log = logging.getLogger(__name__)
_EQUAL = 1e-3
"""The part of the largest logit by which fused operations of evaluation mode may differ."""


def otherwise_in_training(model: nn.Module, shape: tuple[int, int, int]) -> str:
    """A sentence on what comes out for grey images ``(C, H, W)`` in training mode alone; empty where all is alike.

    Batch normalisation, whose mode is declared, and dropout stay in evaluation mode. The model stays as it is.
    """
    copied = independent_copy(model).eval()
    parameter = next(copied.parameters())
    grey = torch.zeros(2, *shape, dtype=parameter.dtype, device=parameter.device)
    with torch.no_grad():
        evaluated = copied(grey)
        copied.train()
        for layer in copied.modules():
            if isinstance(layer, _BatchNorm | _DropoutNd):
                layer.eval()
        difference = _difference(copied, grey, evaluated)
    if not difference:
        return ""
    return (
        f"In training mode the network {difference}. Attacks compute as in evaluation mode, and do not explain all of "
        "an update that was made in training mode."
    )


def _difference(model: nn.Module, images: Tensor, evaluated: object) -> str:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            trained = model(images)
        logits, other = logits_of(evaluated), logits_of(trained)
    except Exception as error:  # noqa: BLE001  # the user's code raises what it likes, and attacks never run it so
        _log.debug("no logits in training mode", exc_info=error)
        return "gives no logits for grey images"
    if type(trained) is not type(evaluated):
        return "gives more than its logits, as auxiliary heads do, whose losses are no part of what attacks repeat"
    if other.shape != logits.shape or bool((other - logits).abs().max() > _EQUAL * logits.abs().max()):
        return "gives other logits, as by stochastic depth or statistics of each image"
    return ""
