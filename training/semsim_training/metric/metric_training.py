"""Trains an embedding on comparisons of reconstructions."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from semsim.progress import Progress, silent
from semsim_training.backbones import build_backbone
from semsim_training.configuration import expanded
from semsim_training.decay import half_cosine, stepped, warm_up
from semsim_training.distributed import processes, rank
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.fitting import fit
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.augmentation import (
    crop_and_flip_batch,
    grey_some,
    mirror_some,
    move_and_colour,
    relight,
    roughen,
    shift_some,
    soften,
)
from semsim_training.metric.embedding_distances import majority_auc, measure
from semsim_training.metric.metric_recipe import MetricRecipe
from semsim_training.metric.sampling import Batch, batches, steps_per_epoch
from semsim_training.metric.triplet_loss import comparison_loss, distances


def build_embedding_network(recipe: MetricRecipe, seed: int, base: Path = Path()) -> EmbeddingNetwork:
    """The network that a recipe begins with; a relative path to its weights starts at ``base``.

    Raises:
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
    """
    torch.manual_seed(seed)
    pretrained = None if recipe.pretrained is None else base / expanded(recipe.pretrained)
    backbone = build_backbone(recipe.architecture, pretrained, recipe.drop_path, recipe.levels)
    network = EmbeddingNetwork(backbone, mean=recipe.mean, std=recipe.std, normalize=recipe.levels is None)
    if recipe.learned == "levels":
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith("backbone.weights."))
    return network.to(memory_format=torch.channels_last)


def train_metric(
    train: SizedSet,
    validation: SizedSet | None,
    recipe: MetricRecipe,
    seed: int,
    log: Path,
    *,
    base: Path = Path(),
    progress: Progress = silent,
    device: str = "cpu",
) -> EmbeddingNetwork:
    """Train a network and return it in evaluation mode.

    An interrupted run goes on after its last epoch, from the state beside ``log``. Under torchrun each of n processes
    takes every n-th batch.

    Args:
        train: the reconstructions to train on.
        validation: the reconstructions to measure after every epoch; ``None`` for none.
        recipe: the network, comparisons, loss and schedule.
        seed: makes first weights, batches and augmentation.
        log: gets a JSON line for each epoch: loss, learning rate, AUC on validation.
        base: the directory at which relative paths start.
        progress: called after every step.
        device: ``cpu`` or ``cuda``.

    Raises:
        InvalidAnnotations: there is nothing to compare.
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
    """
    network = build_embedding_network(recipe, seed, base).to(device)
    optimiser = _optimiser(network, recipe)
    begun = [(parameter, parameter.detach().clone()) for parameter in network.parameters() if parameter.requires_grad]
    steps = max(1, steps_per_epoch(train, recipe) // processes())
    state = log.with_suffix(".state.safetensors")
    if not state.exists() and rank() == 0:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def finished(epoch: int, loss: float) -> None:
        line = {"epoch": epoch + 1, "loss": round(loss, 6), "learning_rate": rate(recipe, epoch)}
        if validation is not None:
            line["validation_auc"] = round(majority_auc(validation.judged, measure(network, validation)), 6)
        if rank() == 0:
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def batches_here(epoch: int) -> Iterator[Batch]:
        if recipe.frozen_statistics or recipe.learned == "levels":
            _freeze_statistics(network)
        of_this_process = islice(batches(train, recipe, seed, epoch), rank(), None, processes())
        return islice(of_this_process, steps)

    def tethered(_epoch: int, _number: int) -> None:
        for parameter, beginning in begun:
            if parameter.grad is not None:
                parameter.grad += 2 * recipe.tether * (parameter.detach() - beginning)

    fit(
        network,
        optimiser,
        batches_here,
        lambda batch: _loss(network, train, batch, recipe, _generator(seed, batch), device),
        epochs=recipe.epochs,
        steps=steps,
        rate=lambda position: rate(recipe, position),
        state=state,
        amend=tethered,
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
    """The source of a batch's augmentation, which hangs on the batch, which hangs on seed and epoch."""
    return torch.Generator().manual_seed(seed * 1_000_003 + int(batch.reconstructions.sum()))


def _loss(
    network: EmbeddingNetwork,
    train: SizedSet,
    batch: Batch,
    recipe: MetricRecipe,
    noise: torch.Generator,
    device: str,
) -> Tensor:
    images = _augmented(train, batch, recipe, noise).to(device)
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=recipe.bfloat16):
        embeddings = network(images)
    anchors = embeddings[: len(batch.originals)]
    compared = torch.cat([embeddings[len(batch.originals) :], anchors])
    sides = [
        distances(anchors[torch.from_numpy(side[:, 0])], compared[torch.from_numpy(side[:, 1])])
        for side in (batch.nearer, batch.farther)
    ]
    difference = torch.from_numpy(batch.difference).to(sides[0])
    return comparison_loss(sides[0], sides[1], difference, recipe)


def _augmented(train: SizedSet, batch: Batch, recipe: MetricRecipe, noise: torch.Generator) -> Tensor:
    """The images of a batch, originals first."""
    originals = torch.from_numpy(train.originals[batch.originals]).float()
    reconstructions = torch.from_numpy(train.reconstructions[batch.reconstructions]).float()
    recognised = torch.from_numpy(train.judged.majority[batch.reconstructions])
    if recipe.blur and recognised.any():
        reconstructions[recognised] = soften(reconstructions[recognised], recipe.blur, noise)
    if recipe.light and recognised.any():
        reconstructions[recognised] = relight(reconstructions[recognised], recipe.light, noise)
    if recipe.noise and recognised.any():
        reconstructions[recognised] = roughen(reconstructions[recognised], recipe.noise, noise)
    if recipe.shift and recognised.any():
        reconstructions[recognised] = shift_some(reconstructions[recognised], recipe.shift, noise)
    if recipe.mirror:
        reconstructions = mirror_some(reconstructions, recipe.mirror, noise)
    if recipe.grey:
        reconstructions = grey_some(reconstructions, recipe.grey, noise)
    images = torch.cat([originals, reconstructions])
    if recipe.augmentation == "crop":
        return crop_and_flip_batch(images, noise)
    if recipe.augmentation == "joint":
        group = np.concatenate([np.arange(len(batch.originals)), batch.group])
        return move_and_colour(images, torch.from_numpy(group), noise)
    return images
