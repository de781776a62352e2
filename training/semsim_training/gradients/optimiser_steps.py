"""The steps of ``torch.optim``'s SGD, Adam and AdamW on weights by name, as functions that autograd sees through.

Adam divides by the root of its second moment. For a single step this is nearly the sign of the gradient, whose
derivative is zero almost everywhere, and at zero the root's own derivative is infinite. So Adam's steps are exact and
their derivatives are those of a smoothed step, as if a part of the tensor's mean were added to each second moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from semsim_training.gradients.update import LocalTraining

_Weights = Mapping[str, Tensor]
_CLIP_EPSILON = 1e-6
"""The number that ``clip_grad_norm_`` adds to the norm before it divides by it."""
_SMALLEST = 1e-30
"""The squared norm below which a gradient counts as zero, where a root has no derivative."""
_SMOOTHING = 0.003
"""The part of a tensor's mean second moment that the derivatives of Adam's steps add to each.

Larger parts find worse images on three-step clients of LeNet.
"""


@dataclass(frozen=True, slots=True)
class Moments:
    """The running averages of an optimiser, by the weights' names; empty before the first step."""

    steps: int = 0
    first: _Weights = field(default_factory=dict)
    """The momentum buffers of SGD, or the first moments of Adam."""
    second: _Weights = field(default_factory=dict)
    """The second moments of Adam."""


def step(
    training: LocalTraining, weights: _Weights, gradients: _Weights, moments: Moments
) -> tuple[dict[str, Tensor], Moments]:
    """The weights and moments after the next step of a client's training.

    Names that ``gradients`` lacks keep their weights, as parameters without a gradient do in ``torch.optim``.
    """
    rate = training.rate(moments.steps)
    gradients = clipped(gradients, training.clip_norm)
    if training.optimiser == "sgd":
        moved, moments = _sgd(training, rate, weights, gradients, moments)
    else:
        moved, moments = _adam(training, rate, weights, gradients, moments)
    return {**weights, **moved}, moments


def clipped(gradients: _Weights, norm: float | None) -> _Weights:
    """The gradients, scaled together to an L2 norm of at most ``norm`` as ``clip_grad_norm_`` does it."""
    if norm is None:
        return gradients
    square = torch.stack([gradient.square().sum() for gradient in gradients.values()]).sum()
    factor = (norm / (square.clamp_min(_SMALLEST).sqrt() + _CLIP_EPSILON)).clamp_max(1.0)
    return {name: gradient * factor for name, gradient in gradients.items()}


def _sgd(
    training: LocalTraining, rate: float, weights: _Weights, gradients: _Weights, moments: Moments
) -> tuple[dict[str, Tensor], Moments]:
    moved, buffers = {}, {}
    for name, gradient in gradients.items():
        if training.weight_decay:
            gradient = gradient + training.weight_decay * weights[name]
        if training.momentum:
            buffers[name] = gradient
            if moments.steps:
                buffers[name] = training.momentum * moments.first[name] + gradient
            gradient = gradient + training.momentum * buffers[name] if training.nesterov else buffers[name]
        moved[name] = weights[name] - rate * gradient
    return moved, Moments(moments.steps + 1, buffers)


def _adam(
    training: LocalTraining, rate: float, weights: _Weights, gradients: _Weights, moments: Moments
) -> tuple[dict[str, Tensor], Moments]:
    moved, first, second = {}, {}, {}
    steps = moments.steps + 1
    corrections = [1 - beta**steps for beta in training.betas]
    for name, gradient in gradients.items():
        weight = weights[name]
        if training.optimiser == "adamw":
            weight = weight * (1 - rate * training.weight_decay)
        elif training.weight_decay:
            gradient = gradient + training.weight_decay * weight
        first[name], second[name] = (
            (1 - beta) * value + (beta * kept[name] if moments.steps else 0)
            for beta, value, kept in zip(
                training.betas, (gradient, gradient.square()), (moments.first, moments.second), strict=True
            )
        )
        mean, square = first[name] / corrections[0], second[name] / corrections[1]
        moved[name] = weight - rate * _normalised(mean, square, training.epsilon)
    return moved, Moments(steps, first, second)


def _normalised(mean: Tensor, square: Tensor, epsilon: float) -> Tensor:
    """``mean / (sqrt(square) + epsilon)``, with the derivatives of the smoothed quotient."""
    smooth = mean / (square + _SMOOTHING * square.detach().mean()).clamp_min(_SMALLEST).sqrt()
    exact = mean.detach() / (square.detach().sqrt() + epsilon)
    return smooth + (exact - smooth.detach())
