"""Small victims and images that the tests of attacks share."""

import numpy as np
from numpy.typing import NDArray

from semsim_training.observations.client_side import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network

PROTOCOL = Protocol()


def smooth_images(count: int, size: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Images that look like nothing, but are smooth as photographs are."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (count, size // 8 + 1, size // 8 + 1, 3))
    rows = np.linspace(0, size // 8, size, endpoint=False)
    low, share = rows.astype(int), rows % 1
    tall = coarse[:, low] * (1 - share)[None, :, None, None] + coarse[:, low + 1] * share[None, :, None, None]
    wide = tall[:, :, low] * (1 - share)[:, None] + tall[:, :, low + 1] * share[:, None]
    return wide.round().astype(np.uint8)


def described(architecture: str, width: int | None = None, size: int = 32, classes: int = 10) -> Network:
    """The description of a victim."""
    return Network(architecture=Architecture(architecture), width=width, classes=classes, size=size)


def victim(architecture: str, width: int | None = None, size: int = 32, classes: int = 10, seed: int = 0) -> Victim:
    """An untrained victim; batch normalisation with statistics that are not those of a new layer."""
    import torch

    network = described(architecture, width, size, classes)
    model = build_network(network, seed, "uniform" if architecture == "lenet" else "default")
    rng = torch.Generator().manual_seed(seed)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=rng) * 0.1)
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=rng) + 0.5)
    return Victim(model, network.inputs, network.label)


def observations(of: Victim, clients: int, images: int = 1, protocol: Protocol = PROTOCOL) -> list[Observation]:
    """The observations of ``clients`` clients that hold different images."""
    (_, size, _), classes = of.inputs.shape, of.inputs.classes
    pixels = smooth_images(clients * images, size)
    labels = np.arange(clients * images) % classes
    return [
        observe(of, pixels[i * images : (i + 1) * images], labels[i * images : (i + 1) * images], protocol, seed=i)
        for i in range(clients)
    ]
