"""Penalties on candidates that do not look like images; lower is more likely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from semsim_training.gradients.batchnorm import ChannelStatistics


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


class Prior(Protocol):
    """A weighted penalty on candidates."""

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""


@dataclass(frozen=True, slots=True)
class TotalVariation:
    """The mean absolute difference of neighbouring pixels, down plus right (Geiping et al., 2020).

    Other exponents than one, and opponent colours, follow the breaching framework's modern attack.
    """

    weight: float
    inner: float = 1.0
    outer: float = 1.0
    double_opponents: bool = False

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        x = candidates.images
        if self.double_opponents:
            red, green, blue = x.unbind(dim=2)
            x = torch.cat([x, torch.stack([red - green, red - blue, green - blue], dim=2)], dim=2)
        down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
        if self.inner == self.outer == 1.0:
            return self.weight * (down.abs().flatten(1).mean(dim=1) + right.abs().flatten(1).mean(dim=1))
        down, right = down[..., :-1].abs(), right[..., :-1, :].abs()
        # The root of a flat patch has no finite derivative, hence the small constant.
        powers = (down**self.inner + right**self.inner + 1e-8) ** self.outer
        return self.weight * powers.flatten(1).mean(dim=1)


@dataclass(frozen=True, slots=True)
class Norm:
    """The mean square of the pixels (Yin et al., CVPR 2021, equation 10, averaged)."""

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        return self.weight * candidates.images.flatten(1).square().mean(dim=1)


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
    """The L2 distance from the mean of a client's restarts (Yin et al., equation 12, without registration)."""

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``."""
        groups = candidates.images.flatten(1).unflatten(0, (-1, candidates.restarts))
        return self.weight * _length((groups - groups.mean(dim=1, keepdim=True)).flatten(0, 1))


def _length(rows: Tensor) -> Tensor:
    """The L2 norms of rows, with a finite derivative at zero."""
    return (rows.square().sum(dim=1) + 1e-12).sqrt()
