"""Trains with several seeds, and chooses the network that does best on validation: one of them, or their mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from semsim.exceptions import InvalidAnnotations
from semsim.progress import Progress, prefixed
from semsim_training.checkpoint import CheckpointDescription, load_network
from semsim_training.distributed import rank
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.checkpoint_writing import save_network
from semsim_training.metric.embedding_distances import majority_auc, measure
from semsim_training.metric.metric_recipe import MetricTraining, TrainingPart
from semsim_training.metric.metric_training import train_metric
from semsim_training.metric.training_report import TrainingRun
from semsim_training.metric.training_splits import TrainingSplits


def train_seeds(
    training: MetricTraining, splits: TrainingSplits, base: Path, out: Path, progress: Progress, device: str
) -> dict[str, Path]:
    """Train the chosen recipe with every seed on every part, and give the file with the weights of each run.

    Runs whose files are in ``out`` are not trained again.

    Raises:
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
        InvalidAnnotations: a part has no recognised reconstruction, or only such.
    """
    paths = {}
    for part in training.parts:
        for seed in training.seeds:
            name, path = f"seed {seed}", out / f"seed-{seed}.safetensors"
            if part != "all":
                name, path = f"{name} on {part} victims", path.with_stem(f"{path.stem}-{part}")
            paths[name] = path
            if path.exists():
                continue
            network = train_metric(
                _part(splits.train, part), splits.validation, training.chosen, seed, path.with_suffix(".jsonl"),
                base=base, device=device, progress=prefixed(progress, name),
            )  # fmt: skip
            if rank() == 0:
                save_network(network, path)
    return paths


def _part(train: SizedSet, part: TrainingPart) -> SizedSet:
    if part == "all":
        return train
    chosen = train.take(train.judged.trained == (part == "trained"))
    if not len(chosen) or chosen.judged.majority.all() or not chosen.judged.majority.any():
        raise InvalidAnnotations(
            f"expected recognised and unrecognised reconstructions of {part} victims to train on, got {len(chosen)} "
            "reconstructions, at most one kind"
        )
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class SeedChoice:
    """The chosen network, and what each network is worth."""

    network: EmbeddingNetwork
    name: str
    runs: tuple[TrainingRun, ...]

    @classmethod
    def of(
        cls, weights: Mapping[str, Path], description: CheckpointDescription, splits: TrainingSplits, device: str
    ) -> Self:
        """Measure the network of every run and, of several, the one whose weights are their mean; choose by validation.

        Runs that begin with the same weights end near each other, so that their mean is a network, too, and often a
        better one ("Model soups", Wortsman et al., ICML 2022). The network with the best AUC on validation is chosen.
        """
        networks = {name: load_network(path, description).to(device) for name, path in weights.items()}
        if len(networks) > 1:
            mean = load_network(next(iter(weights.values())), description).to(device)
            mean.load_state_dict(_mean([network.state_dict() for network in networks.values()]))
            networks[f"mean of {len(weights)} runs"] = mean
        runs = tuple(
            TrainingRun(
                name=name,
                validation_auc=round(majority_auc(splits.validation.judged, measure(network, splits.validation)), 4),
                test_auc=round(majority_auc(splits.test.judged, measure(network, splits.test)), 4),
            )
            for name, network in networks.items()
        )
        best = max(runs, key=lambda run: run.validation_auc).name
        return cls(networks[best], best, runs)


def _mean(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of each tensor, of the type that it has."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
