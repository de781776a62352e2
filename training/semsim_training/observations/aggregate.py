"""The sum of several clients' updates, which is all that a server sees behind secure aggregation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.update import Update
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.scaled_imprint import ScaledImprint


def observe_aggregate(
    victim: Victim, images: NDArray[np.uint8], labels: NDArray[np.int64], protocol: Protocol, seed: int
) -> Observation:
    """The mean update of the clients of LOKI's module; each gets a module of its own and holds an equal part of images.

    ``images`` are ``(clients * m, H, W, C)`` and ``labels`` ``(clients * m,)``; a client's images follow each other. Each
    client defends its own update.

    Raises:
        InvalidUpdate: a victim without LOKI's module, or images that its clients cannot share equally.
    """
    model = victim.model
    if not isinstance(model, ScaledImprint):
        raise InvalidUpdate(f"expected a victim with the module of LOKI for an aggregate, got {victim.name}")
    held = len(images) // model.clients
    if not held or held * model.clients != len(images):
        raise InvalidUpdate(f"expected images for {model.clients} clients, as many for each, got {len(images)}")
    mean: dict[str, Tensor] = {}
    for client in range(model.clients):
        part = slice(client * held, (client + 1) * held)
        sent = replace(victim, model=model.sent_to(client))
        update = observe(sent, images[part], labels[part], protocol, seed + client).update
        for name, value in update.tensors.items():
            mean[name] = mean[name].add_(value, alpha=1 / model.clients) if client else value / model.clients
    known = tuple(int(label) for label in labels) if protocol.reveal_labels else None
    return Observation(
        victim=victim,
        update=Update(mean, protocol.local_training),
        images=len(images),
        batchnorm=protocol.batchnorm,
        labels=known,
    )
