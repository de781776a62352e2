"""Measures a calibrated network on the test split."""

import numpy as np

from semsim_training.faithfulness.metric_values import Metric
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.calibrated_network import CalibratedNetwork
from semsim_training.metric.calibration_fit import reliability
from semsim_training.metric.changes import changed_originals
from semsim_training.metric.embedding_distances import embed, measure
from semsim_training.metric.held_out_evaluation import held_out_results
from semsim_training.metric.metric_comparison import Comparison, compare_metrics, parts_of
from semsim_training.metric.metric_recipe import MetricRecipe
from semsim_training.metric.seed_choice import SeedChoice
from semsim_training.metric.strangers import siblings_recognizable, strangers_recognizable
from semsim_training.metric.training_report import Bin, TrainingReport
from semsim_training.metric.training_splits import TrainingSplits
from semsim_training.statistics.intervals import Floats


def report_on_test(
    recipe: MetricRecipe,
    choice: SeedChoice,
    calibrated: CalibratedNetwork,
    splits: TrainingSplits,
    others: tuple[Metric, ...],
) -> TrainingReport:
    """Everything that is measured of a training, beside ``others``, the metrics of the test split."""
    network, calibration, threshold = calibrated.network, calibrated.calibration, calibrated.threshold
    test, judged = splits.test, splits.test.judged
    distances, embeddings = measure(network, test), embed(network, test.originals)
    return TrainingReport(
        recipe=recipe.name,
        split={name: len(part) for name, part in splits.parts.items()},
        recognised={name: round(float(part.judged.majority.mean()), 4) for name, part in splits.parts.items()},
        runs=choice.runs,
        chosen=choice.name,
        calibration=calibration.kind,
        brier=calibrated.brier,
        threshold=threshold,
        strangers_recognizable=round(strangers_recognizable(embeddings, test, calibration, threshold), 4),
        siblings_recognizable=round(siblings_recognizable(embeddings, test, calibration, threshold), 4),
        changes=changed_originals(network, test.originals[np.unique(test.original_of)], calibration, threshold),
        reliability=tuple(
            Bin(leakage=round(one.leakage, 4), share=round(one.share, 4), items=one.items)
            for one in reliability(calibration.leakage(distances), judged.shares)
        ),
        results=held_out_results(judged, distances, calibration, threshold),
        comparisons=_comparisons(judged, distances, others),
    )


def _comparisons(judged: JudgedSet, distances: Floats, others: tuple[Metric, ...]) -> tuple[Comparison, ...]:
    return tuple(
        compare_metrics(judged.take(rows), what, distances[rows], tuple(metric.take(rows) for metric in others))
        for what, rows in parts_of(judged).items()
    )
