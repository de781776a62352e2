"""Training an embedding on comparisons of reconstructions."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from semsim_training.backbones import build_backbone
from semsim_training.configuration import expanded
from semsim_training.decay import half_cosine, stepped, warm_up
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.fitting import fit, processes, rank
from semsim_training.metric.augmentation import crop_and_flip, move_and_colour, soften
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricRecipe
from semsim_training.metric.sampling import Batch, batches, steps_per_epoch
from semsim_training.metric.triplet_loss import comparison_loss, distances
from semsim_training.progress import Progress


def build_network(recipe: MetricRecipe, seed: int, base: Path = Path()) -> EmbeddingNetwork:
    """The network that a recipe begins with; ``base`` is what a relative path to weights starts from.

    Raises:
        InvalidCheckpoint: no such architecture or weights.
    """
    torch.manual_seed(seed)
    pretrained = None if recipe.pretrained is None else base / expanded(recipe.pretrained)
    backbone = build_backbone(recipe.architecture, pretrained, recipe.drop_path)
    network = EmbeddingNetwork(backbone, mean=recipe.mean, std=recipe.std, normalize=True)
    return network.to(memory_format=torch.channels_last)


def train_metric(
    train: JudgedReconstructions,
    validation: JudgedReconstructions | None,
    recipe: MetricRecipe,
    seed: int,
    log: Path,
    *,
    base: Path = Path(),
    progress: Progress = lambda *_: None,
    device: str = "cpu",
) -> EmbeddingNetwork:
    """Train and return the network in evaluation mode; ``log`` gets a JSON line an epoch: loss, rate, validation AUC.

    An interrupted run goes on after its last epoch, from the state beside ``log``. Under torchrun each process takes
    every n-th batch.

    Raises:
        InvalidAnnotations: nothing to compare.
        InvalidCheckpoint: no such architecture or weights.
    """
    network = build_network(recipe, seed, base).to(device)
    optimiser = _optimiser(network, recipe)
    steps = max(1, steps_per_epoch(train, recipe) // processes())
    state = log.with_suffix(".state.safetensors")
    if not state.exists() and rank() == 0:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def finished(epoch: int, loss: float) -> None:
        line = {"epoch": epoch + 1, "loss": round(loss, 6), "learning_rate": rate(recipe, epoch)}
        if validation is not None:
            line["validation_auc"] = round(auc(validation, measure(network, validation)), 6)
        if rank() == 0:
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def own_batches(epoch: int) -> Iterator[Batch]:
        if recipe.frozen_statistics:
            _freeze_statistics(network)
        every = batches(train, recipe, seed, epoch)
        return islice(islice(every, rank(), None, processes()), steps)

    fit(
        network,
        optimiser,
        own_batches,
        lambda batch: _loss(network, train, batch, recipe, _generator(seed, batch), device),
        epochs=recipe.epochs,
        steps=steps,
        rate=lambda position: rate(recipe, position),
        state=state,
        finished=finished,
        progress=progress,
    )
    return network.eval()


def rate(recipe: MetricRecipe, position: float) -> float:
    """The learning rate at a position in epochs."""
    if recipe.schedule == "steps":
        return recipe.learning_rate * stepped(position, recipe.epochs)
    share = position / recipe.epochs
    return recipe.learning_rate * warm_up(share) * half_cosine(share)


@torch.no_grad()
def measure(network: EmbeddingNetwork, judged: JudgedReconstructions, batch_size: int = 64) -> NDArray[np.float64]:
    """The distance ``(N,)`` of each reconstruction from its original."""
    network.eval()
    needed, places = np.unique(judged.original_of, return_inverse=True)
    originals = embed(network, judged.originals[needed], batch_size)
    found = embed(network, judged.reconstructions, batch_size)
    gaps: NDArray[np.float64] = np.linalg.norm(originals[places] - found, axis=1)
    return gaps


@torch.no_grad()
def embed(network: EmbeddingNetwork, images: NDArray[np.uint8], batch_size: int = 64) -> NDArray[np.float64]:
    """Embeddings ``(N, D)`` of images ``(N, S, S, 3)``."""
    network.eval()
    device = next(network.parameters()).device
    parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([network(torch.from_numpy(part.copy()).to(device)).double().cpu().numpy() for part in parts])


def auc(judged: JudgedReconstructions, found: NDArray[np.float64]) -> float:
    """The share of pairs (recognised by the majority, not recognised) with the first nearer; NaN without such pairs."""
    if judged.majority.all() or not judged.majority.any():
        return float("nan")
    return float(roc_auc_score(judged.majority, -found))


def _optimiser(network: nn.Module, recipe: MetricRecipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _freeze_statistics(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _generator(seed: int, batch: Batch) -> torch.Generator:
    """Augmentation hangs on what is in the batch, which hangs on seed and epoch."""
    return torch.Generator().manual_seed(seed * 1_000_003 + int(batch.reconstructions.sum()))


def _loss(
    network: EmbeddingNetwork,
    judged: JudgedReconstructions,
    batch: Batch,
    recipe: MetricRecipe,
    noise: torch.Generator,
    device: str,
) -> Tensor:
    images = _augmented(judged, batch, recipe, noise)
    embeddings = network(images.to(device))
    anchors, found = embeddings[: len(batch.originals)], embeddings[len(batch.originals) :]
    sides = [
        distances(anchors[torch.from_numpy(side[:, 0])], found[torch.from_numpy(side[:, 1])])
        for side in (batch.nearer, batch.farther)
    ]
    difference = torch.from_numpy(batch.difference).to(sides[0])
    return comparison_loss(sides[0], sides[1], difference, recipe)


def _augmented(judged: JudgedReconstructions, batch: Batch, recipe: MetricRecipe, noise: torch.Generator) -> Tensor:
    originals = torch.from_numpy(judged.originals[batch.originals]).float()
    found = torch.from_numpy(judged.reconstructions[batch.reconstructions]).float()
    if recipe.blur:
        recognised = torch.from_numpy(judged.majority[batch.reconstructions])
        found[recognised] = soften(found[recognised], recipe.blur, noise)
    images = torch.cat([originals, found])
    if recipe.augmentation == "crop":
        return crop_and_flip(images, noise)
    if recipe.augmentation == "joint":
        group = np.concatenate([np.arange(len(batch.originals)), batch.group])
        return move_and_colour(images, torch.from_numpy(group), noise)
    return images
