"""The comparison of weight deltas that Adam and AdamW made.

Their steps have nearly one length in every entry. Most entries of a delta are then as long as they can be, whatever the
images are, and the cosine is above .95 for images that look like nothing. What tells images apart is small: the entries
whose gradients change between steps. The sum of magnitudes weighs small differences more than the cosine does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim_training.attacks.objectives import Cosine, Objective
from semsim_training.gradients.terms import GradientTerm
from semsim_training.gradients.update import LocalTraining


@dataclass(frozen=True, slots=True)
class RelativeManhattan(Objective):
    """The L1 distance over all entries, in parts of the target's L1 norm, times ``scale``.

    At a scale of .2 it stands beside total variation as the cosine does. Three-step clients of Adam on LeNet, 1,000
    iterations of ``smooth``: 13.9 dB and a leakage of .39, against 13.2 dB and .26 by the cosine.
    """

    scale: float = 0.2

    def prepare(self, targets: Sequence[Tensor]) -> list[Tensor]:
        """The targets, and behind them the factor of each client's distance, ``(N,)``."""
        norms = torch.stack([target.double().abs().sum(dim=(1, 2)) for target in targets]).sum(dim=0)
        return [*targets, (self.scale / norms.clamp_min(1e-37)).to(targets[0].dtype)]

    def __call__(self, terms: Sequence[GradientTerm], targets: Sequence[Tensor]) -> Tensor:
        """The distances ``(N,)``."""
        *values, factor = targets
        parts = [(term.dense() - value).abs().sum(dim=(1, 2)) for term, value in zip(terms, values, strict=True)]
        return factor * torch.stack(parts).sum(dim=0)


def objective_against(training: LocalTraining | None, objective: Objective) -> Objective:
    """The ``objective`` of an attack, or :class:`RelativeManhattan` in the place of the cosine where Adam trained."""
    if training is None or training.optimiser == "sgd" or not isinstance(objective, Cosine):
        return objective
    return RelativeManhattan(0.2 * objective.scale)
