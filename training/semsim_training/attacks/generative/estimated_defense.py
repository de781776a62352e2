"""The attacker's estimate of the defense on an update, laid on the candidates' updates before both are compared.

Generative Gradient Leakage (Li et al., CVPR 2022, arXiv 2203.15696) compares an update that was pruned or clipped with
candidates' updates that are pruned or clipped alike: the zeros of the update are taken for pruned entries, and its norm
for the bound of the clipping. Noise is not estimated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim_training.attacks.objectives import Objective
from semsim_training.gradients.terms import GradientTerm

_TINY = 1e-37


@dataclass(frozen=True, slots=True)
class DefendedEuclidean(Objective):
    """The squared L2 distance between updates, a mean over parameters, with the candidates' defended as estimated."""

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        kept = [torch.where(target != 0, term.dense(), 0.0) for term, target in zip(terms, targets, strict=True)]
        # An update that was not clipped is about as long as candidates' near it: the factor is about one there.
        factor = (_square(targets) / _square(kept).clamp_min(_TINY)).sqrt().clamp_max(1)[:, None, None]
        apart = [factor * part - target for part, target in zip(kept, targets, strict=True)]
        return _square(apart) / len(targets)


def _square(parts: Sequence[Tensor]) -> Tensor:
    """The squared norms ``(N,)`` of N clients' tensors ``(N, out, rest)``."""
    return torch.stack([part.square().sum(dim=(1, 2)) for part in parts]).sum(dim=0)
