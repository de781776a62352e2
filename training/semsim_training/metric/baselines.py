"""The values of published metrics, to compare the trained one with."""

from pathlib import Path

import numpy as np

from semsim.progress import Progress, prefixed, silent
from semsim_training.configuration import expanded
from semsim_training.faithfulness.metric_values import Metric
from semsim_training.faithfulness.values import Wanted, compute_metrics
from semsim_training.faithfulness.values_table import has_values, read_values, write_values
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.pair import pairs_of
from semsim_training.metric.metric_recipe import Baselines


def baseline_metrics(
    baselines: Baselines, judged: JudgedSet, base: Path, kept: Path, *, progress: Progress = silent
) -> tuple[Metric, ...]:
    """MSE, PSNR, SSIM, LPIPS at both sizes and the artifacts of the configuration, in the order of ``judged``.

    They are computed once for each set and kept below ``kept``, which holds no image; kept values without one of the
    metrics, or of a set that was made again since, are computed again.

    Args:
        baselines: the metrics; paths are relative to ``base``.
        judged: pairs of one set after the other.
        base: the directory of the configuration.
        kept: the directory of the values.
        progress: called as values are computed.

    Raises:
        InvalidDataset: a picture is not there, or kept values are of a set of another name.
        ArtifactError, InvalidCheckpoint: an artifact or weights cannot be used.
    """
    wanted = Wanted(
        artifacts={label: base / place for label, place in baselines.artifacts.items()},
        lpips=None if baselines.lpips is None else base / expanded(baselines.lpips),
    )
    parts: list[dict[str, Metric]] = []
    for source in dict.fromkeys(pair.source for pair in judged.pairs):
        path = kept / f"{source.name}.parquet"
        if not has_values(path, source, wanted.names):
            everything = pairs_of(source)
            values = compute_metrics(everything, wanted, prefixed(progress, source.name))
            kept.mkdir(parents=True, exist_ok=True)
            write_values(path, source.name, everything, values)
        values = read_values(path, source.name, [pair for pair in judged.pairs if pair.source is source], {})
        parts.append({metric.name: metric for metric in values})
    return tuple(
        Metric(name, parts[0][name].direction, np.concatenate([part[name].values for part in parts]))
        for name in wanted.names
    )
