"""The triplet loss and its relatives, over comparisons."""

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim_training.metric.metric_recipe import MetricRecipe

_SMALL = 1e-12
"""A constant that is added under the root, since the distance of equal embeddings has no gradient."""


def distances(anchors: Tensor, reconstructions: Tensor) -> Tensor:
    """L2 distances ``(T,)`` of embeddings ``(T, D)``."""
    return ((anchors - reconstructions).square().sum(1) + _SMALL).sqrt()


def comparison_loss(nearer: Tensor, farther: Tensor, difference: Tensor, recipe: MetricRecipe) -> Tensor:
    """The mean loss of comparisons, given distances ``(T,)`` and the ``difference`` of shares ``(T,)``, 0..1.

    With the same anchor on both sides and ``hinge`` it is the triplet margin loss (Schroff et al., CVPR 2015):
    ``max(0, nearer - farther + margin)``.
    """
    margin = recipe.margin * (difference if recipe.graded else torch.ones_like(difference))
    violation = nearer - farther + margin
    if recipe.loss == "hinge":
        values = violation.relu()
    else:
        values = recipe.temperature * F.softplus(violation / recipe.temperature)
    if recipe.mining == "semi-hard":
        kept = ((farther > nearer) & (violation > 0)).detach()
        # Where no negative is semi-hard, all count: a step of nothing teaches nothing.
        if kept.any():
            values = values[kept]
    return values.mean() if len(values) else nearer.sum() * 0
