"""Distances of candidates' gradients from the observed ones; lower is closer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim_training.gradients.terms import DenseTerm, GradientTerm

_TINY = 1e-37
_SMALL = 16_384
"""The most entries of all clients' gradients by a parameter that are copied behind others, to be multiplied with them.

Where clients are few, the number of operations is what takes time; where they are many, copies do.
"""
_SHORTEST = 1e-10
"""The least norm that a row counts with. Images of zeros have rows of zeros, whose directions this makes steep."""


class Objective(ABC):
    """A distance of N clients' gradients, a term for each parameter, from targets ``(N, out, rest)`` laid out alike."""

    def prepare(self, targets: Sequence[Tensor]) -> list[Tensor]:
        """The targets, made once of the observed gradients; here the gradients themselves."""
        return list(targets)

    @abstractmethod
    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""


@dataclass(frozen=True, slots=True)
class Cosine(Objective):
    """One minus the cosine between the whole gradients, in [0, 2] (Geiping et al., 2020, equation 4)."""

    scale: float = 1.0

    def prepare(self, targets: Sequence[Tensor]) -> list[Tensor]:
        """The directions: all tensors of a client are scaled together to a norm of one.

        Behind them come all small ones once more, one after another in a row ``(N, 1, rest)``.
        """
        square = torch.stack([target.double().square().sum(dim=(1, 2)) for target in targets]).sum(dim=0)
        inverse = square.clamp_min(_TINY).rsqrt()[:, None, None]
        directions = [(target * inverse).to(target.dtype) for target in targets]
        small = [target.flatten(1) for target in directions if _small(target)]
        return [*directions, torch.cat(small, dim=1)[:, None]] if small else directions

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        products, small = [], []
        for term, target in zip(terms, targets, strict=False):
            if _small(target):
                small.append(term.dense().flatten(1))
            else:
                products.append(term.products(target))
        if small:  # a network has dozens of them, and each operation has its price
            products.append(DenseTerm(torch.cat(small, dim=1)[:, None]).products(targets[-1]))
        dot, square = (torch.stack(parts).sum(dim=0) for parts in zip(*products, strict=True))
        return self.scale * (1 - dot / square.clamp_min(_TINY).sqrt())


def _small(target: Tensor) -> bool:
    return target.numel() <= _SMALL


@dataclass(frozen=True, slots=True)
class Euclidean(Objective):
    """The squared L2 distance, summed over all entries (Zhu et al., 2019, equation 3)."""

    scale: float = 1.0

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        # Not from products: near the end the difference is far smaller than the norms.
        parts = [(term.dense() - target).square().sum(dim=(1, 2)) for term, target in zip(terms, targets, strict=True)]
        return self.scale * torch.stack(parts).sum(dim=0)


@dataclass(frozen=True, slots=True)
class Manhattan(Objective):
    """The L1 distance, summed over all entries."""

    scale: float = 1.0

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        parts = [(term.dense() - target).abs().sum(dim=(1, 2)) for term, target in zip(terms, targets, strict=True)]
        return self.scale * torch.stack(parts).sum(dim=0)


@dataclass(frozen=True, slots=True)
class PerOutputCosine(Objective):
    """One minus the cosine for every output of every layer, averaged over all of them.

    An output has its row of the weights. Parameters with one dimension, such as biases, are one more row each. This is
    ``out_sim`` of the code of Automatic Transformation Search and of the SemSim paper.
    """

    scale: float = 1.0

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        distances = []
        for term, target in zip(terms, targets, strict=True):
            gradient = term.dense()
            if target.shape[2] == 1:
                gradient, target = gradient.transpose(1, 2), target.transpose(1, 2)
            norms = [rows.square().sum(dim=2).clamp_min(_SHORTEST**2).sqrt() for rows in (gradient, target)]
            distances.append(1 - (gradient * target).sum(dim=2) / (norms[0] * norms[1]))
        return self.scale * torch.cat(distances, dim=1).mean(dim=1)
