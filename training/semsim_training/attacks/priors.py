"""Penalties on candidates that do not look like images; lower is more likely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import Tensor

from semsim_training.attacks.registration import registered_mean
from semsim_training.gradients.batchnorm import ChannelStatistics

_EPSILON = 1e-8
"""The constant that the breaching framework adds to every difference of pixels."""


class Reference(StrEnum):
    """The statistics that those of the candidates should be."""

    TRAINING = "training"
    """The victim's running statistics, which come from its training images (Yin et al., 2021)."""
    BATCH = "batch"
    """The statistics of the client's batch, where the client sends its running statistics."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of N clients, each tried ``restarts`` times, and what the victim made of them."""

    images: Tensor
    """The candidates, ``(N * restarts, images, C, H, W)``, normalised; a client's restarts follow each other."""
    restarts: int
    """The number of candidates of each client."""
    statistics: Sequence[ChannelStatistics]
    """The statistics ``(N * restarts, C)`` of the candidates at each batch normalisation of the victim; none where no
    prior asks for them."""
    expected: Mapping[Reference, Sequence[ChannelStatistics]]
    """The statistics that these are compared with, in the same order, ``(1, C)`` or ``(N * restarts, C)``."""
    features: Tensor | None = None
    """The last layer's inputs ``(N * restarts, images, F)``; ``None`` where no prior asks for them."""
    observed_features: Tensor | None = None
    """The inputs that the update implies, of the same shape; see :class:`FeatureMatching`."""
    unknowns: Tensor | None = None
    """All that the search moves, ``(N * restarts, ...)``: the images themselves, or what a decoder makes them of."""


class Prior(Protocol):
    """A weighted penalty on candidates."""

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""


@dataclass(frozen=True, slots=True)
class TotalVariation:
    """The mean absolute difference of neighbouring pixels, down plus right (Geiping et al., 2020)."""

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        variation: Tensor = _Variation.apply(candidates.images)
        return self.weight * variation


@dataclass(frozen=True, slots=True)
class BorderedTotalVariation(TotalVariation):
    """The total variation of the breaching framework: the mean of ``(down^inner + right^inner)^outer`` over pixels.

    Beyond the last row and the last column there are zeros, so that the border counts.
    """

    inner: float = 1.0
    outer: float = 1.0
    double_opponents: bool = False
    """True to add the differences of the colours as three more channels, where there are three colours."""

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        x = candidates.images
        if self.double_opponents and x.shape[2] == 3:
            red, green, blue = x.unbind(dim=2)
            x = torch.cat([x, torch.stack([red - green, red - blue, green - blue], dim=2)], dim=2)
        padded = torch.nn.functional.pad(x, (0, 1, 0, 1))
        down, right = padded[..., 1:, :-1] - x, padded[..., :-1, 1:] - x
        powers = (down.abs() + _EPSILON) ** self.inner + (right.abs() + _EPSILON) ** self.inner
        if self.outer != 1.0:
            powers = powers**self.outer
        return self.weight * powers.flatten(1).mean(dim=1)


@dataclass(frozen=True, slots=True)
class FeatureMatching:
    """The mean squared distance of the last layer's inputs from those that its gradient implies.

    It is the feature term of the breaching framework. The weight's row of a class, divided by the class's entry of the
    bias, is the input of an image of this class where the client holds one image, and a mixture of all inputs where it
    holds several.
    """

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        if candidates.features is None or candidates.observed_features is None:
            raise ValueError("expected the last layer's inputs, got none")
        distances = candidates.features - candidates.observed_features
        return self.weight * distances.flatten(1).square().mean(dim=1)


@dataclass(frozen=True, slots=True)
class Norm:
    """Half the mean square of the pixels (Yin et al., CVPR 2021, equation 10, as the breaching framework has it)."""

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        return 0.5 * self.weight * candidates.images.flatten(1).square().mean(dim=1)


@dataclass(frozen=True, slots=True)
class BatchNormStatistics:
    """The L2 distances of means and variances from known ones, over the layers (Yin et al., CVPR 2021, equation 11)."""

    weight: float
    first: float = 1.0
    """The weight of the first layer, where each other layer has the weight one."""
    reference: Reference = Reference.TRAINING

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        total = candidates.images.new_zeros(len(candidates.images))
        pairs = zip(candidates.statistics, candidates.expected[self.reference], strict=True)
        for index, (reached, expected) in enumerate(pairs):
            distance = _length(reached.mean - expected.mean) + _length(reached.variance - expected.variance)
            total = total + (self.first if index == 0 else 1.0) * distance
        return self.weight * total


@dataclass(frozen=True, slots=True)
class GroupConsistency:
    """The L2 distance from the mean of a client's restarts (Yin et al., CVPR 2021, equations 12 and 13).

    Each restart's images are laid over the mean of all restarts before they are averaged.
    """

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        groups = candidates.images.unflatten(0, (-1, candidates.restarts))
        consensus = registered_mean(groups.detach())[:, None]
        return self.weight * _length((groups - consensus).flatten(0, 1).flatten(1))


class _Variation(torch.autograd.Function):
    """The mean absolute differences of rows and columns, ``(N, ...)`` to ``(N,)``, with one pass each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
        ctx.save_for_backward(down, right)
        return down.abs().flatten(1).mean(dim=1) + right.abs().flatten(1).mean(dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        down, right = ctx.saved_tensors
        (by_value,) = gradients
        by_down, by_right = (
            part.sign() * (by_value / part[0].numel()).reshape(-1, *(1,) * (part.ndim - 1)) for part in (down, right)
        )
        by_x = torch.nn.functional.pad(by_down, (0, 0, 1, 0))
        by_x[..., :-1, :] -= by_down
        by_x[..., 1:] += by_right
        by_x[..., :-1] -= by_right
        return by_x


def _length(rows: Tensor) -> Tensor:
    """The L2 norms of rows, with a finite derivative at zero."""
    return (rows.square().sum(dim=1) + 1e-12).sqrt()
