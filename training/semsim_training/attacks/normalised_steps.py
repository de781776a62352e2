"""The comparison of weight deltas that Adam and AdamW made.

Their steps have nearly one length in every entry. Most entries of a delta are then as long as they can be, whatever the
images are, and the cosine is near one for images that look like nothing. What tells images apart is small: the entries
whose gradients change between steps. The sum of magnitudes weighs small differences more than the cosine does.

An entry with a small gradient moves as far as one with a large gradient, and a slight change of the images turns it.
So each entry counts by a power of the candidate's gradient, as a one-bit measurement counts by its distance from zero
where signs are compared (Jacques et al., 2013, arXiv 1104.3160, whose one-sided L1 is of power one).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim_training.attacks.objectives import Cosine, Objective
from semsim_training.gradients.terms import GradientTerm, NormalisedTerm
from semsim_training.gradients.update import LocalTraining

_MATRIX = 0.5
"""The weight of fully connected layers. Their gradients by an image are outer products: the rows repeat each other."""
_LEAST = 1e-12
"""The least second moment that an entry counts by, in parts of its tensor's mean."""


@dataclass(frozen=True, slots=True)
class RelativeManhattan(Objective):
    """The weighted L1 distance over all entries, in parts of the target's weighted L1 norm, times ``scale``.

    At a scale of .2 it stands beside total variation as the cosine does. The weights are the fourth roots of Adam's
    second moments of the candidate, in parts of their mean over the tensor; they have no derivatives.
    """

    scale: float = 0.2

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``; the terms are of Adam's deltas."""
        apart, norms = [], []
        for term, target in zip(terms, targets, strict=True):
            weight = _weights(term)
            apart.append((weight * (term.dense() - target).abs()).sum(dim=(1, 2)))
            norms.append((weight * target.abs()).sum(dim=(1, 2)))
        return self.scale * torch.stack(apart).sum(dim=0) / torch.stack(norms).sum(dim=0).clamp_min(1e-30)


def objective_against(training: LocalTraining | None, objective: Objective) -> Objective:
    """The ``objective`` of an attack, or :class:`RelativeManhattan` in the place of the cosine where Adam trained."""
    if training is None or training.optimiser == "sgd" or not isinstance(objective, Cosine):
        return objective
    return RelativeManhattan(0.2 * objective.scale)


def _weights(term: GradientTerm) -> Tensor:
    """The weights of a term's entries, ``(N, out, rest)``."""
    if not isinstance(term, NormalisedTerm):
        raise TypeError(f"expected a term of Adam's deltas, got {type(term).__name__}")
    mean = term.second.mean(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    return (term.second / mean).clamp_min(_LEAST).sqrt().sqrt() * (_MATRIX if term.is_matrix else 1.0)
