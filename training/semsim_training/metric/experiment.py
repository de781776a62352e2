"""From judged reconstructions to a calibrated checkpoint: several seeds, the best on validation, measured on test."""

from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from semsim.exceptions import InvalidAnnotations, InvalidCheckpoint
from semsim.manifest import Annotators, HeldOutResult
from semsim_training.annotation.items import SPLITS
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.checkpoint import CheckpointDescription, load_network
from semsim_training.configuration import expanded, read_description
from semsim_training.faithfulness.study import Floats, Metric
from semsim_training.fitting import rank
from semsim_training.metric.baselines import at, baseline_metrics
from semsim_training.metric.calibration_fit import best_threshold, calibrate, reliability
from semsim_training.metric.changes import Changed, changed_originals
from semsim_training.metric.checkpoint_writing import describe, save_network
from semsim_training.metric.held_out_evaluation import (
    Comparison,
    compare,
    held_out_results,
    siblings_recognizable,
    strangers_recognizable,
)
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.metric_training import auc, embed, measure, train_metric
from semsim_training.progress import Progress, prefixed

WEIGHTS, RECORD = "model.safetensors", "training.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeedRun(_Record):
    """One training."""

    seed: int
    validation_auc: float
    test_auc: float


class Bin(_Record):
    """Of the reliability diagram, on test."""

    leakage: float
    share: float
    items: int


class TrainingReport(_Record):
    """``training.json``: what came of a training, beside the checkpoint."""

    recipe: str
    split: dict[str, int]
    """Reconstructions of each split, by original."""
    recognised: dict[str, float]
    """By the majority of annotators."""
    seeds: tuple[SeedRun, ...]
    chosen: int
    """The seed with the best AUC on validation."""
    calibration: str
    brier: dict[str, float]
    """Of each kind of calibration, on held-out originals of validation."""
    threshold: float
    """Of the greatest F1 on validation."""
    strangers_recognizable: float
    """Of pairs of test originals of different classes, the share called recognizable."""
    siblings_recognizable: float
    """Of pairs of different test originals of one class, the same."""
    changes: tuple[Changed, ...]
    """Of test originals."""
    reliability: tuple[Bin, ...]
    results: tuple[HeldOutResult, ...]
    comparisons: tuple[Comparison, ...]
    """With other metrics on test: of all sets together, and of each set of originals."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the report of a training.

        Raises:
            InvalidCheckpoint: no finished training there.
        """
        return read_description(cls, directory / RECORD, InvalidCheckpoint, "a finished training")


def run(
    training: MetricTraining, base: Path, out: Path, *, progress: Progress = lambda *_: None, device: str = "cpu"
) -> TrainingReport | None:
    """Train the first recipe with every seed; write checkpoint, description and report to ``out``.

    Seeds that are done are not trained again, and an interrupted one goes on. Under torchrun the first process alone
    measures and writes; the others give ``None``.

    Raises:
        InvalidDataset, InvalidAnnotations: sets or judgements that are missing or do not do.
        InvalidCheckpoint: no such architecture or weights.
    """
    recipe, kind = training.resolved[0], training.judged.kind
    judged = JudgedReconstructions.load(training.judged, base, recipe.size)
    parts = {split: judged.take(judged.where(split=[split])) for split in SPLITS}
    empty = [split for split, part in parts.items() if part.majority.all() or not part.majority.any()]
    if empty:
        raise InvalidAnnotations(f"expected recognised and unrecognised reconstructions in {empty[0]}, got one kind")
    description = describe(training, parts["train"], annotators(training, base))
    paths = {seed: out / f"seed-{seed}.safetensors" for seed in training.seeds}
    for seed, path in paths.items():
        if not path.exists():
            network = train_metric(
                parts["train"], parts["validation"], recipe, seed, out / f"seed-{seed}.jsonl",
                base=base, device=device,
                progress=prefixed(progress, f"seed {seed}"),
            )  # fmt: skip
            if rank() == 0:
                save_network(network, path)
    if rank() > 0:
        return None
    networks, runs = [], []
    for seed, path in paths.items():
        networks.append(load_network(path, description).to(device))
        found = {split: auc(parts[split], measure(networks[-1], parts[split])) for split in ("validation", "test")}
        runs.append(SeedRun(seed=seed, validation_auc=round(found["validation"], 4), test_auc=round(found["test"], 4)))
    metrics = baseline_metrics(training, judged, base, out / "values", progress=progress)
    others = at(metrics, judged.where(split=["test"]))
    best = int(np.argmax([one.validation_auc for one in runs]))
    network = networks[best]

    validation, test = measure(network, parts["validation"]), measure(network, parts["test"])
    fitted = calibrate(validation, parts["validation"].shares, parts["validation"].original_of)
    threshold = best_threshold(fitted.calibration.leakage(validation), parts["validation"].majority)
    clear = embed(network, parts["test"].originals)
    results = held_out_results(parts["test"], kind, test, fitted.calibration, threshold)
    report = TrainingReport(
        recipe=recipe.name,
        split={split: len(part) for split, part in parts.items()},
        recognised={split: round(float(part.majority.mean()), 4) for split, part in parts.items()},
        seeds=tuple(runs),
        chosen=runs[best].seed,
        calibration=fitted.calibration.kind,
        brier=fitted.brier,
        threshold=threshold,
        strangers_recognizable=round(strangers_recognizable(clear, parts["test"], fitted.calibration, threshold), 4),
        siblings_recognizable=round(siblings_recognizable(clear, parts["test"], fitted.calibration, threshold), 4),
        changes=changed_originals(
            network,
            parts["test"].originals[np.unique(parts["test"].original_of)],
            fitted.calibration,
            threshold,
        ),
        reliability=tuple(
            Bin(leakage=round(one.leakage, 4), share=round(one.share, 4), items=one.items)
            for one in reliability(fitted.calibration.leakage(test), parts["test"].shares)
        ),
        results=results,
        comparisons=_comparisons(parts["test"], kind, test, others),
    )
    update = {"calibration": fitted.calibration, "threshold": threshold, "results": results}
    final = CheckpointDescription.model_validate(description.model_copy(update=update).model_dump())
    save_network(network, out / WEIGHTS)
    (out / WEIGHTS).with_suffix(".json").write_text(final.model_dump_json(indent=2) + "\n")
    (out / RECORD).write_text(report.model_dump_json(indent=2) + "\n")
    return report


def _comparisons(
    test: JudgedReconstructions, kind: AnnotatorKind, distances: Floats, others: tuple[Metric, ...]
) -> tuple[Comparison, ...]:
    found = [compare(test, kind, "all", distances, others)]
    for dataset in test.values("dataset"):
        rows = test.where(dataset=[dataset])
        found.append(compare(test.take(rows), kind, dataset, distances[rows], at(others, rows)))
    return tuple(found)


def annotators(training: MetricTraining, base: Path) -> Annotators:
    """Who judged, for the checkpoint's description."""
    kind = training.judged.kind
    found = {
        (one.annotator, one.protocol)
        for judged in training.judged.sets
        for one in read(base / expanded(judged.annotations))
        if one.kind is kind
    }
    names, protocols = sorted({name for name, _ in found}), sorted({protocol for _, protocol in found})
    return Annotators(kind=kind.value, count=len(names), detail=f"{', '.join(names)}; {', '.join(protocols)}")
