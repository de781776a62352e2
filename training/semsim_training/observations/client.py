"""The client's side of a round: its update, computed by PyTorch's plain operations, unlike in the attacks."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.client_images.mode import NO_MODE, Mode
from semsim_training.client_images.normalisation import normalise
from semsim_training.defenses.defense import NO_DEFENSE, Defense
from semsim_training.defenses.rules import defend
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.observation import BatchNormMode, Observation, Victim, running_statistics


@dataclass(frozen=True, slots=True)
class Protocol:
    """The way clients compute and defend their updates, and what the attacker is told."""

    local_training: LocalTraining | None = None
    """The training whose weight delta clients send; ``None`` where they send a gradient of the mean loss."""
    batchnorm: BatchNormMode = "eval"
    mode: Mode = NO_MODE
    """The augmentation of the client's images."""
    defense: Defense = NO_DEFENSE
    """The defense on the client's update."""
    reveal_labels: bool = True
    send_statistics: bool = False
    """True where the client sends its running statistics along, as clients do that average whole state dicts. No
    defense touches them."""


def observe(
    victim: Victim, images: NDArray[np.uint8], labels: NDArray[np.int64], protocol: Protocol, seed: int
) -> Observation:
    """The observation of a client that takes part with ``images`` ``(m, H, W, C)`` and ``labels`` ``(m,)``.

    Raises:
        InvalidUpdate: images or labels do not fit the victim.
    """
    channels, height, width = victim.inputs.shape
    classes = victim.inputs.classes
    if images.dtype != np.uint8 or images.shape[1:] != (height, width, channels) or labels.shape != images.shape[:1]:
        raise InvalidUpdate(
            f"expected uint8 images (m, {height}, {width}, {channels}) and as many labels, got {images.dtype} "
            f"{images.shape} and {labels.shape}"
        )
    known = tuple(int(label) for label in labels)
    if known and not 0 <= min(known) <= max(known) < classes:
        raise InvalidUpdate(f"expected labels 0..{classes - 1}, got {min(known)}..{max(known)}")
    shared = protocol.mode.share(images, np.random.default_rng(seed))
    model = copy.deepcopy(victim.model)
    tensors = _update(model, victim, normalise(shared, victim.inputs), torch.from_numpy(labels), protocol)
    defended = defend(tensors, protocol.defense, seed)
    sent = running_statistics(model) if protocol.send_statistics else {}
    return Observation(
        victim=victim,
        update=Update(defended, protocol.local_training, sent),
        images=len(images),
        batchnorm=protocol.batchnorm,
        labels=known if protocol.reveal_labels else None,
    )


def _update(model: nn.Module, victim: Victim, pixels: Tensor, labels: Tensor, protocol: Protocol) -> dict[str, Tensor]:
    """The gradient of the mean loss, or the weight delta, computed on ``model``, the client's copy of the victim's."""
    pixels = pixels.to(next(model.parameters()))
    for module in model.modules():
        module.train(protocol.batchnorm == "train" and isinstance(module, nn.BatchNorm2d))
    model.requires_grad_(True)
    training = protocol.local_training
    if training is None:
        F.cross_entropy(logits_of(model(pixels)), labels).backward()
        return {name: _gradient(parameter) for name, parameter in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=training.learning_rate)
    for _ in range(training.epochs):
        for start in range(0, len(pixels), training.batch_size):
            batch = slice(start, start + training.batch_size)
            optimiser.zero_grad()
            F.cross_entropy(logits_of(model(pixels[batch])), labels[batch]).backward()
            optimiser.step()
    before = dict(victim.model.named_parameters())
    return {name: (after - before[name]).detach() for name, after in model.named_parameters()}


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach()
