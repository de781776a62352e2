"""The part of an update that an attack's images explain, which is all that an attacker can know of its success."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semsim_training.attacks.reconstruction import Explanation, Status
from semsim_training.attacks.simulation import simulation
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.terms import GradientTerm
from semsim_training.observations.observation import Observation

_RANDOM_IMAGES = 4
"""The number of random images, of uniform noise, that a result is compared with."""
_MATCHED = 0.9
"""The share from which images count as a match."""
_MORE = 0.05
"""The part of what random images leave unexplained that images must explain to count as more than nothing."""


def explanations(
    observations: Sequence[Observation], images: Sequence[NDArray[np.uint8]], labels: Sequence[Sequence[int]]
) -> list[Explanation]:
    """The part of each observation's update that its ``images`` ``(images, H, W, C)`` with their ``labels`` explain.

    The images are the 8-bit ones that an attack gives out, so that rounding counts.
    """
    first = observations[0]
    simulated = simulation(first)
    dtype = next(simulated.network.parameters()).dtype
    rng = np.random.default_rng(0)
    random = [rng.integers(0, 256, images[0].shape, dtype=np.uint8) for _ in range(_RANDOM_IMAGES)]
    explained = []
    for observation, made, classes in zip(observations, images, labels, strict=True):
        pixels = normalise(made, first.victim.inputs, dtype)
        rows = [pixels, torch.zeros_like(pixels), *(normalise(noise, first.victim.inputs, dtype) for noise in random)]
        update = observation.update.gradient(observation.images) or observation.update.tensors
        target = simulated.lay_out([update[name][None].to(dtype) for name in simulated.names])
        given = torch.tensor(classes)
        compared = [_share_and_cosine(simulated(x.clone().requires_grad_(), given), target) for x in rows]
        (share, cosine), (zero, _), *others = compared
        explained.append(Explanation(share, cosine, zero, max(value for value, _ in others)))
    return explained


def status_of(explanation: Explanation) -> Status:
    """The status that an explanation stands for."""
    if explanation.share >= _MATCHED:
        return Status.MATCHED
    more = explanation.share - explanation.worthless > _MORE * (1 - explanation.worthless)
    return Status.PARTLY if more else Status.NOTHING_FOUND


def _share_and_cosine(terms: Sequence[GradientTerm], target: Sequence[Tensor]) -> tuple[float, float]:
    """The share that one client's update explains of the observed one, and the cosine of both."""
    made, seen = (
        torch.cat([part.detach().flatten().double() for part in parts])
        for parts in ([term.dense() for term in terms], target)
    )
    square = float(seen.square().sum())
    if not square:
        return 0.0, 0.0
    share = 1 - float((made - seen).square().sum()) / square
    norms = float(made.norm()) * square**0.5
    return share, float(made @ seen) / norms if norms else 0.0
