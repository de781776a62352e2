"""Training a victim: the usual recipe for small images, interruptible after every epoch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semsim.exceptions import InvalidDataset
from training.defenses.defense import Defense
from training.images.labelled import LabelledImages, stable_hash
from training.images.mode import Mode
from training.images.normalisation import normalise
from training.victims.checkpoint import TrainingRecord, VictimDescription, load_victim, save_victim
from training.victims.description import Network
from training.victims.schedule import VictimTraining

Progress = Callable[[str, int, int], None]


def train_victim(
    training: VictimTraining, path: Path, *, progress: Progress = lambda *_: None, device: str = "cpu"
) -> VictimDescription:
    """Train a victim and write it to ``path`` (.safetensors); an interrupted run goes on after its last epoch.

    Raises:
        InvalidDataset: images that cannot be read, or labels that the network has no class for.
    """
    train, test = training.train.load(), training.test.load()
    _check_labels(train, training.network.classes)
    _check_labels(test, training.network.classes)
    schedule, state = training.resolved, path.with_suffix(".state.safetensors")
    model = training.network.build(training.seed).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=schedule.learning_rate, momentum=0.9, nesterov=True, weight_decay=schedule.weight_decay
    )
    first = _resume(model, optimiser, state) if state.exists() else 0
    for epoch in range(first, schedule.epochs):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(epoch)
        _epoch(model, optimiser, train, training, epoch, progress)
        _save_state(model, optimiser, epoch + 1, state)
        progress("epochs", epoch + 1, schedule.epochs)
    description = VictimDescription(
        network=training.network,
        seed=training.seed,
        class_names=train.classes,
        training=TrainingRecord(
            dataset=train.name,
            images=len(train),
            mode=training.mode,
            defense=training.defense,
            epochs=schedule.epochs,
            preset=schedule.name,
            seed=training.seed,
            test_images=len(test),
            test_accuracy=round(accuracy(model, test, training.network), 4),
        ),
    )
    save_victim(model, description, path)
    state.unlink(missing_ok=True)
    return load_victim(path)[1]


@torch.no_grad()
def accuracy(model: nn.Module, images: LabelledImages, network: Network) -> float:
    """The share of images whose most probable class is their own."""
    device = next(model.parameters()).device
    model.eval()
    right = 0
    for start in range(0, len(images), 256):
        logits = model(normalise(images.images[start : start + 256], network).to(device))
        right += int((logits.argmax(1).cpu().numpy() == images.labels[start : start + 256]).sum())
    return right / len(images)


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: LabelledImages,
    training: VictimTraining,
    epoch: int,
    progress: Progress,
) -> None:
    schedule, mode, defense = training.resolved, Mode(training.mode), Defense(training.defense)
    # Everything random in an epoch hangs on its number: a resumed run needs no generator's state.
    rng = np.random.default_rng([training.seed, epoch])
    order, device = rng.permutation(len(images)), next(model.parameters()).device
    batches = _batches(order, schedule.batch_size)
    model.train()
    for number, batch in enumerate(batches):
        pixels = normalise(mode.train(images.images[batch], rng), training.network)
        labels = torch.from_numpy(images.labels[batch]).to(device)
        with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=training.mixed_precision):
            logits = model(pixels.to(device, memory_format=torch.channels_last))
        loss = schedule.loss_scale * F.cross_entropy(logits.float(), labels)
        optimiser.zero_grad()
        loss.backward()
        if training.defense != "none":
            _defend(model, defense, stable_hash(f"{training.seed}/{epoch}/{number}"))
        optimiser.step()
        progress(f"epoch {epoch + 1}", number + 1, len(batches))


def _batches(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Whole batches; a last one of a single image would have no batch statistics."""
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return batches if len(batches[-1]) > 1 or len(batches) == 1 else batches[:-1]


def _defend(model: nn.Module, defense: Defense, seed: int) -> None:
    gradients = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    for name, value in defense.apply(gradients, seed).items():
        parameter = model.get_parameter(name)
        parameter.grad = value.to(parameter)


def _check_labels(images: LabelledImages, classes: int) -> None:
    if int(images.labels.max()) >= classes:
        raise InvalidDataset(
            f"expected labels below the network's {classes} classes in {images.name}, got {int(images.labels.max())}"
        )


def _save_state(model: nn.Module, optimiser: torch.optim.Optimizer, epochs: int, path: Path) -> None:
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        tensors[f"momentum.{name}"] = optimiser.state[parameter]["momentum_buffer"]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    metadata = {"epochs": str(epochs)}
    save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, partial, metadata=metadata)
    partial.replace(path)


def _resume(model: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> int:
    """Restore the state of an interrupted run; the number of epochs done."""
    from safetensors import safe_open

    tensors = load_file(path)
    model.load_state_dict(
        {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    )
    for name, parameter in model.named_parameters():
        optimiser.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"].to(parameter)
    with safe_open(path, "pt") as file:
        return int(file.metadata()["epochs"])
