"""Labels for images that an attack found without saying which image has which label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semsim_training.attacks.labels import infer_labels
from semsim_training.attacks.simulation import simulation
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import Update
from semsim_training.observations.observation import Observation


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """The part of an update that images are to explain, where they cannot explain all of it."""

    name: str
    """The name of a parameter."""
    seen: Callable[[Tensor], Tensor]
    """A linear map of the parameter's updates ``(N, out, rest)``, to what is compared."""


def paired_labels(
    observation: Observation, images: NDArray[np.uint8], labels: Sequence[int], part: ComparedPart | None = None
) -> tuple[int, ...]:
    """The ``labels``, with classes in the place of -1: those of the observation, or inferred from its update.

    The gradient is the mean of those of the single images. Each of the ``images`` ``(images, H, W, C)`` is paired with
    a class so that the squared distances of the single gradients from it are least together: exact where images
    contribute to entries of their own, as behind an imprint module.

    Raises:
        InvalidUpdate: labels are needed and cannot be inferred from this update.
    """
    if min(labels) >= 0:
        return tuple(labels)
    known = observation.labels if observation.labels is not None else infer_labels(observation)
    if len(set(known)) == 1:
        return known
    from scipy.optimize import linear_sum_assignment  # a second of import in every process

    gradient = observation.direction
    if gradient is None:  # a delta points against the gradients
        gradient = {name: -value for name, value in observation.update.tensors.items()}
    simulated = simulation(Observation(observation.victim, Update(gradient), batchnorm=observation.batchnorm))
    parameter = next(simulated.network.parameters())
    pixels = normalise(images, observation.victim.inputs).to(parameter)
    targets = simulated.lay_out([gradient[name][None].to(parameter) for name in simulated.names])
    costs = {}
    for label in sorted(set(known)):
        terms = simulated(pixels.clone().requires_grad_(), torch.full((len(images),), label, device=pixels.device))
        cost = np.zeros(len(images))
        for name, term, target in zip(simulated.names, terms, targets, strict=True):
            if part is None or name == part.name:
                made, sent = ((t if part is None else part.seen(t)) for t in (term.dense().detach(), target))
                made = made / len(images)
                cost += (made.square() - 2 * made * sent).sum(dim=(1, 2), dtype=torch.float64).cpu().numpy()
        costs[label] = cost
    places = linear_sum_assignment(np.stack([costs[label] for label in known], axis=1))[1]
    return tuple(known[place] for place in places)
