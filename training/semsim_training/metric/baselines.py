"""What other metrics say of the same reconstructions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim_training.configuration import expanded
from semsim_training.faithfulness.judged import read_pairs
from semsim_training.faithfulness.study import Metric
from semsim_training.faithfulness.values import Wanted, compute_metrics
from semsim_training.faithfulness.values_table import read_values, write_values
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.progress import Progress, prefixed
from semsim_training.reconstructions.dataset import DatasetDescription


def baseline_metrics(
    training: MetricTraining,
    judged: JudgedReconstructions,
    base: Path,
    kept: Path,
    *,
    progress: Progress = lambda *_: None,
) -> tuple[Metric, ...]:
    """MSE, PSNR, SSIM, LPIPS and the artifacts of the configuration, in the order of ``judged``.

    Computed once for each set and kept below ``kept``, numbers only.

    Raises:
        InvalidDataset: a set that is missing, or kept values of another one.
        ArtifactError, InvalidCheckpoint: an artifact or weights that cannot be used.
    """
    rows: dict[str, int] = {}
    parts: list[tuple[Metric, ...]] = []
    for one in training.judged.sets:
        directory = base / expanded(one.dataset)
        name = DatasetDescription.read(directory).name
        pairs = read_pairs(directory)
        path = kept / f"{name}.parquet"
        if not path.exists():
            found = compute_metrics(
                pairs,
                Wanted(
                    artifacts={label: base / place for label, place in training.baselines.artifacts.items()},
                    lpips=None if training.baselines.lpips is None else base / expanded(training.baselines.lpips),
                ),
                prefixed(progress, name),
            )
            kept.mkdir(parents=True, exist_ok=True)
            write_values(path, name, pairs, found)
        parts.append(read_values(path, name, pairs, {}))
        rows |= {pair.item: len(rows) + place for place, pair in enumerate(pairs)}
    order = [rows[item] for item in judged.items]
    return tuple(
        Metric(same[0].name, same[0].direction, np.concatenate([metric.values for metric in same])[order])
        for same in zip(*parts, strict=True)
    )


def at(metrics: tuple[Metric, ...], chosen: NDArray[np.bool_]) -> tuple[Metric, ...]:
    """The metrics of the reconstructions where ``chosen`` ``(N,)`` is true."""
    return tuple(Metric(one.name, one.direction, one.values[chosen]) for one in metrics)
