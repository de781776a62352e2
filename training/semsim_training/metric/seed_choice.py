"""Trains with several seeds, and chooses the one that does best on validation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semsim.progress import Progress, prefixed
from semsim_training.checkpoint import CheckpointDescription, load_network
from semsim_training.distributed import rank
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.metric.checkpoint_writing import save_network
from semsim_training.metric.embedding_distances import majority_auc, measure
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.metric_training import train_metric
from semsim_training.metric.training_report import SeedRun
from semsim_training.metric.training_splits import TrainingSplits


def train_seeds(
    training: MetricTraining, splits: TrainingSplits, base: Path, out: Path, progress: Progress, device: str
) -> dict[int, Path]:
    """Train the chosen recipe with every seed, and give the file with the weights of each.

    Seeds whose files are in ``out`` are not trained again.

    Raises:
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
    """
    paths = {seed: out / f"seed-{seed}.safetensors" for seed in training.seeds}
    for seed, path in paths.items():
        if not path.exists():
            network = train_metric(
                splits.train, splits.validation, training.chosen, seed, path.with_suffix(".jsonl"),
                base=base, device=device, progress=prefixed(progress, f"seed {seed}"),
            )  # fmt: skip
            if rank() == 0:
                save_network(network, path)
    return paths


@dataclass(frozen=True, slots=True, eq=False)
class SeedChoice:
    """The network of the chosen seed, and what each seed is worth."""

    network: EmbeddingNetwork
    seed: int
    runs: tuple[SeedRun, ...]

    @classmethod
    def of(
        cls, weights: dict[int, Path], description: CheckpointDescription, splits: TrainingSplits, device: str
    ) -> Self:
        """Measure the network of every seed, and choose the one with the best AUC on validation."""
        networks = {seed: load_network(path, description).to(device) for seed, path in weights.items()}
        runs = tuple(
            SeedRun(
                seed=seed,
                validation_auc=round(majority_auc(splits.validation.judged, measure(network, splits.validation)), 4),
                test_auc=round(majority_auc(splits.test.judged, measure(network, splits.test)), 4),
            )
            for seed, network in networks.items()
        )
        best = max(runs, key=lambda run: run.validation_auc).seed
        return cls(networks[best], best, runs)
