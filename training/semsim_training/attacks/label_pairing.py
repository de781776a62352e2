"""Labels for images that an attack found without saying which image has which label."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from semsim_training.attacks.labels import infer_labels
from semsim_training.attacks.simulation import simulation
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import Update
from semsim_training.observations.observation import Observation


def paired_labels(observation: Observation, images: NDArray[np.uint8], labels: Sequence[int]) -> tuple[int, ...]:
    """The ``labels``, with classes in the place of -1: those of the observation, or inferred from its update.

    Each of the ``images`` ``(images, H, W, C)`` is paired with a class so that the gradients of the single images point
    along the update as far as they can together: the update is their mean.

    Raises:
        InvalidUpdate: labels are needed and cannot be inferred from this update.
    """
    if min(labels) >= 0:
        return tuple(labels)
    known = observation.labels if observation.labels is not None else infer_labels(observation)
    if len(set(known)) == 1:
        return known
    from scipy.optimize import linear_sum_assignment  # a second of import in every process

    gradient = observation.update.gradient(observation.images)
    if gradient is None:  # a delta points against the gradients
        gradient = {name: -value for name, value in observation.update.tensors.items()}
    simulated = simulation(Observation(observation.victim, Update(gradient), batchnorm=observation.batchnorm))
    parameter = next(simulated.network.parameters())
    pixels = normalise(images, observation.victim.inputs).to(parameter)
    targets = simulated.lay_out([gradient[name][None].to(parameter) for name in simulated.names])
    along = {}
    for label in sorted(set(known)):
        terms = simulated(pixels.clone().requires_grad_(), torch.full((len(images),), label, device=pixels.device))
        products = [
            term.products(target.expand(len(images), -1, -1))[0] for term, target in zip(terms, targets, strict=True)
        ]
        along[label] = torch.stack(products).sum(dim=0).detach().cpu().double().numpy()
    rows, places = linear_sum_assignment(np.stack([along[label] for label in known], axis=1), maximize=True)
    return tuple(known[place] for _, place in sorted(zip(rows, places, strict=True)))
