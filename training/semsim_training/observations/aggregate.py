"""The sum of several clients' updates, which is all that a server sees behind secure aggregation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.update import Update
from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.scaled_imprint import ScaledImprint


def clients_behind(victim: Victim) -> int:
    """The number of clients whose updates are added up: those of LOKI's module, else one."""
    return victim.model.clients if isinstance(victim.model, ScaledImprint) else 1


def observe_round(
    victim: Victim, images: NDArray[np.uint8], labels: NDArray[np.int64], protocol: Protocol, seed: int
) -> Observation:
    """The client's update, or the mean update of all clients of LOKI's module, each of which gets a module of its own.

    ``images`` are ``(clients * m, H, W, C)`` and ``labels`` ``(clients * m,)``; a client's images follow each other.
    Each client defends its own update.

    Raises:
        InvalidUpdate: images or labels do not fit the victim, or the clients cannot share them equally.
    """
    model = victim.model
    if not isinstance(model, ScaledImprint):
        return observe(victim, images, labels, protocol, seed)
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
