"""LOKI (Zhao et al., IEEE S&P 2024, arXiv 2303.12233): images out of the sum of many clients' updates, in closed form.

Each client has columns of its own in the weights of the imprint layer (``victims.scaled_imprint``), and each unit fires
in one bin of brightness. A unit's part of a client's columns is therefore a multiple of that client's image in the bin.
The biases are sums over clients and are not used. The paper stretches each part to the range of pixels; here the bin
says the image's brightness, which is nearer.
"""

import torch
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.explanation import status_of
from semsim_training.attacks.reconstruction import Explanation, Reconstruction, Status
from semsim_training.client_images.normalisation import box, to_images
from semsim_training.observations.observation import Observation
from semsim_training.victims.scaled_imprint import ScaledImprint

_SILENT = 1e-12
"""The length of a part below which it says nothing."""


def loki(observation: Observation) -> Reconstruction:
    """The images of all clients behind one aggregate: a gradient, or a weight delta of any number of local steps.

    Images come client by client and, within a client, from dark to bright; several images of one bin come out as a
    mixture. Where fewer parts than images speak, the remaining images are grey. Labels are -1, because nothing says
    which image has which label.

    The share that the images explain is that of the imprint layer's weights, where each image counts with its best
    multiple. It is compared with random images, and with the images that the attack makes of an update of noise.

    Raises:
        InvalidUpdate: a victim without LOKI's module, or images that its clients cannot share equally.
    """
    model, inputs, name = observation.victim.model, observation.victim.inputs, observation.victim.name
    if not isinstance(model, ScaledImprint):
        raise InvalidUpdate(f"expected a victim with the module of LOKI for the attack loki, got {name}")
    held = observation.images // model.clients
    if held * model.clients != observation.images:
        raise InvalidUpdate(f"expected images for {model.clients} clients, as many for each, got {observation.images}")
    # Each bin of each client has a part: (clients, bins, pixels).
    parts = observation.update.tensors["imprint.weight"].unflatten(1, (model.clients, -1)).transpose(0, 1)
    centres = model.centres.to(parts)
    shown, share = _read(parts, centres, held)
    low, high = box(inputs, parts.dtype)
    images = to_images(shown.flatten(0, 1).unflatten(1, inputs.shape) * (high - low) + low, inputs)
    labels = (-1,) * observation.images
    if not share:
        return Reconstruction(images, Status.DIVERGED, float("nan"), labels, None, "closed form")
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(parts[:1].shape, generator=rng, dtype=parts.dtype)
    uniform = torch.rand(shown.shape, generator=rng, dtype=parts.dtype)
    random = max(_read(noise, centres, held)[1], _explained(parts, _loudest(parts, held), uniform))
    explanation = Explanation(share=share, cosine=share**0.5, zero=0.0, random=random)
    return Reconstruction(images, status_of(explanation), 0.0, labels, explanation, "closed form")


def _read(parts: Tensor, centres: Tensor, held: int) -> tuple[Tensor, float]:
    """Images ``(clients, held, pixels)`` in 0..1, rounded to levels, and the share of all parts that they explain."""
    loudest = _loudest(parts, held)
    spoken = parts.gather(1, loudest[..., None].expand(-1, -1, parts.shape[2]))
    speaking = spoken.norm(dim=2, keepdim=True) > _SILENT
    # A part is an unknown multiple of the image, whose mean brightness is that of the bin.
    brightness = (centres[loudest] / spoken.mean(dim=2))[..., None]
    read = torch.where(speaking, spoken * brightness, 0.5).nan_to_num(0.5).clamp(0, 1)
    grey = read.new_full((len(parts), held - read.shape[1], parts.shape[2]), 0.5)
    images = (torch.cat([read, grey], dim=1) * 255).round() / 255
    return images, _explained(parts, loudest, images)


def _loudest(parts: Tensor, held: int) -> Tensor:
    """The bins ``(clients, held)`` with each client's longest parts, from dark to bright; all where it has fewer."""
    longest: Tensor = parts.norm(dim=2).topk(min(held, parts.shape[1]), dim=1).indices
    return longest.sort(dim=1).values


def _explained(parts: Tensor, bins: Tensor, images: Tensor) -> float:
    """The share of all parts that the best multiples of images explain, each in its bin; 0 where no part speaks."""
    spoken = parts.gather(1, bins[..., None].expand(-1, -1, parts.shape[2]))
    images = images[:, : bins.shape[1]]
    along = (spoken * images).sum(dim=2).square() / images.square().sum(dim=2).clamp_min(_SILENT)
    whole = float(parts.square().sum(dtype=torch.float64))
    return float(along.sum(dtype=torch.float64)) / whole if whole else 0.0
