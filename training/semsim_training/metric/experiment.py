"""Trains a metric with several seeds, calibrates the best one on validation, and measures it on test."""

from pathlib import Path

from semsim.progress import Progress, silent
from semsim_training.distributed import rank
from semsim_training.metric.baselines import baseline_metrics
from semsim_training.metric.calibrated_network import CalibratedNetwork
from semsim_training.metric.checkpoint_writing import describe, write_checkpoint
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.report_on_test import report_on_test
from semsim_training.metric.seed_choice import SeedChoice, train_seeds
from semsim_training.metric.training_report import TrainingReport
from semsim_training.metric.training_splits import TrainingSplits


def run(
    training: MetricTraining, base: Path, out: Path, *, progress: Progress = silent, device: str = "cpu"
) -> TrainingReport | None:
    """Train the chosen recipe with every seed; write checkpoint, description and report to ``out``.

    Seeds that are done are not trained again, and an interrupted one goes on. Under torchrun the first process alone
    measures and writes; the others give ``None``.

    Raises:
        InvalidDataset, InvalidAnnotations: sets or judgements are missing or cannot be used.
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
    """
    splits = TrainingSplits.read(training.judged, base, training.chosen.size)
    description = describe(training, splits.train.judged, training.judged.annotators(base))
    weights = train_seeds(training, splits, base, out, progress, device)
    if rank() > 0:
        return None
    choice = SeedChoice.of(weights, description, splits, device)
    calibrated = CalibratedNetwork.fit(choice.network, splits.validation)
    others = baseline_metrics(training.baselines, splits.test.judged, base, out / "values", progress=progress)
    report = report_on_test(training.chosen, choice, calibrated, splits, others)
    write_checkpoint(out, description, calibrated, report.results)
    (out / TrainingReport.FILE).write_text(report.model_dump_json(indent=2) + "\n")
    return report
