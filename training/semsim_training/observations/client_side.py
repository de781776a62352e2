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
from semsim_training.gradients.attackable import trained_names
from semsim_training.gradients.loss import logits_of
from semsim_training.gradients.update import LocalTraining, Update
from semsim_training.observations.observation import BatchNormMode, Observation, Victim, batchnorms, running_statistics


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

    Dropout is off. Its masks are known to nobody, so that no attack can repeat a client that trains with it on. Of the
    layers that differ in training mode, batch normalisation alone is in it, where the protocol says so.

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
    double = next(model.parameters()).dtype == torch.float64
    pixels = normalise(shared, victim.inputs, torch.float64 if double else torch.float32)
    tensors = _update(model, victim, pixels, torch.from_numpy(labels), protocol)
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
    pixels = pixels.to(next(model.parameters())).contiguous()  # networks call view() on their features
    model.eval()
    for _, layer in batchnorms(model):
        layer.train(protocol.batchnorm == "train")
    trained = {name: model.get_parameter(name).requires_grad_() for name in trained_names(model)}
    training = protocol.local_training
    if training is None:
        F.cross_entropy(logits_of(model(pixels)), labels).backward()
        return {name: _gradient(parameter) for name, parameter in trained.items()}
    _train(model, [model.get_parameter(name) for name in trained], training, pixels, labels)
    return {name: (after - victim.model.get_parameter(name)).detach() for name, after in trained.items()}


def _train(
    model: nn.Module, parameters: list[nn.Parameter], training: LocalTraining, pixels: Tensor, labels: Tensor
) -> None:
    """The client's local training, by ``torch.optim``."""
    optimiser = _optimiser(parameters, training)
    training.check(len(pixels))
    for step, batch in enumerate(training.batches(len(pixels))):
        optimiser.param_groups[0]["lr"] = training.rate(step)
        optimiser.zero_grad()
        F.cross_entropy(logits_of(model(pixels[list(batch)])), labels[list(batch)]).backward()
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, training.clip_norm)
        optimiser.step()


def _optimiser(parameters: list[nn.Parameter], training: LocalTraining) -> torch.optim.Optimizer:
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, rate, momentum=training.momentum, nesterov=training.nesterov, weight_decay=decay
        )
    of_adam = torch.optim.Adam if training.optimiser == "adam" else torch.optim.AdamW
    return of_adam(parameters, rate, betas=training.betas, eps=training.epsilon, weight_decay=decay)


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach()
