"""Training a victim by the usual recipe for small images; it can be interrupted after every epoch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim.exceptions import InvalidDataset
from semsim.progress import Progress, silent
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.normalisation import normalise
from semsim_training.defenses.defense import NO_DEFENSE
from semsim_training.defenses.rules import defend
from semsim_training.fitting import fit
from semsim_training.seeds import stable_hash
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.schedule import VictimTraining
from semsim_training.victims.victim_checkpoint import VictimDescription, VictimTrainingRecord, load_victim, save_victim


def _memory_format(model: nn.Module) -> torch.memory_format:
    """Channels last, except where a layer has under 8 channels: oneDNN corrupts memory there (torch 2.15, AVX2)."""
    narrow = any(isinstance(layer, nn.Conv2d) and layer.out_channels < 8 for layer in model.modules())
    return torch.contiguous_format if narrow else torch.channels_last


def train_victim(
    training: VictimTraining, path: Path, *, progress: Progress = silent, device: str = "cpu"
) -> VictimDescription:
    """Train a victim and write it to ``path`` (.safetensors). An interrupted run goes on after its last epoch.

    Raises:
        InvalidDataset: images cannot be read, or have labels that the network has no class for.
    """
    train, test = training.train.load(), training.test.load()
    _check_labels(train, training.network.classes)
    _check_labels(test, training.network.classes)
    schedule = training.resolved
    model = build_network(training.network, training.seed).to(device)
    model = model.to(memory_format=_memory_format(model))
    optimiser = torch.optim.SGD(
        model.parameters(), lr=schedule.learning_rate, momentum=0.9, nesterov=True, weight_decay=schedule.weight_decay
    )
    fit(
        model,
        optimiser,
        lambda epoch: _batches(train, training, epoch),
        lambda batch: _loss(model, batch, training),
        epochs=schedule.epochs,
        steps=len(_cuts(len(train), schedule.batch_size)),
        rate=lambda position: schedule.rate(int(position)),
        state=path.with_suffix(".state.safetensors"),
        amend=lambda epoch, number: _defend(model, training, epoch, number),
        progress=progress,
    )
    description = VictimDescription(
        network=training.network,
        seed=training.seed,
        class_names=train.classes,
        training=VictimTrainingRecord(
            dataset=train.name,
            images=len(train),
            mode=training.mode.text,
            defense=training.defense.text,
            epochs=schedule.epochs,
            preset=schedule.name,
            seed=training.seed,
            test_images=len(test),
            test_accuracy=round(accuracy(model, test, training.network), 4),
        ),
    )
    save_victim(model, description, path)
    return load_victim(path)[1]


@torch.no_grad()
def accuracy(model: nn.Module, images: LabelledImages, network: Network) -> float:
    """The share of images that the model gives their right class."""
    device = next(model.parameters()).device
    model.eval()
    right = 0
    for start in range(0, len(images), 256):
        logits = model(normalise(images.images[start : start + 256], network.inputs).to(device))
        right += int((logits.argmax(1).cpu().numpy() == images.labels[start : start + 256]).sum())
    return right / len(images)


_Batch = tuple[Tensor, Tensor]


def _batches(images: LabelledImages, training: VictimTraining, epoch: int) -> Iterator[_Batch]:
    rng, mode = np.random.default_rng([training.seed, epoch]), training.mode
    order = rng.permutation(len(images))
    for start, stop in _cuts(len(images), training.resolved.batch_size):
        chosen = order[start:stop]
        pixels = normalise(mode.train(images.images[chosen], rng), training.network.inputs)
        yield pixels, torch.from_numpy(images.labels[chosen])


def _cuts(count: int, size: int) -> list[tuple[int, int]]:
    """The bounds of each batch. A last batch of one image is left out, because it has no batch statistics."""
    cuts = [(start, min(start + size, count)) for start in range(0, count, size)]
    return cuts[:-1] if len(cuts) > 1 and cuts[-1][1] - cuts[-1][0] == 1 else cuts


def _loss(model: nn.Module, batch: _Batch, training: VictimTraining) -> Tensor:
    device = next(model.parameters()).device
    pixels, labels = batch[0].to(device, memory_format=_memory_format(model)), batch[1].to(device)
    with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=training.mixed_precision):
        logits = model(pixels)
    return training.resolved.loss_scale * F.cross_entropy(logits.float(), labels)


def _defend(model: nn.Module, training: VictimTraining, epoch: int, number: int) -> None:
    if training.defense == NO_DEFENSE:
        return
    gradients = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    seed = stable_hash(f"{training.seed}/{epoch}/{number}")
    for name, value in defend(gradients, training.defense, seed).items():
        parameter = model.get_parameter(name)
        parameter.grad = value.to(parameter)


def _check_labels(images: LabelledImages, classes: int) -> None:
    if int(images.labels.max()) >= classes:
        raise InvalidDataset(
            f"expected labels below the network's {classes} classes in {images.name}, got {int(images.labels.max())}"
        )
