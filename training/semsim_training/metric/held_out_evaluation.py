"""The results of a calibrated embedding on reconstructions that it was not trained on, for its manifest."""

import numpy as np

from semsim.calibration import Calibration
from semsim.manifest import HeldOutResult
from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.report import Figure
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.calibration_fit import calibration_error, operating_point
from semsim_training.metric.metric_comparison import DRAWS, SEED, auc_draws, parts_of
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import CONFIDENCE, Floats


def held_out_results(
    judged: JudgedSet, distances: Floats, calibration: Calibration, threshold: float
) -> tuple[HeldOutResult, ...]:
    """AUC of each part of :func:`parts_of`; over all calibration error, and precision and recall at the threshold.

    ``distances`` ``(N,)`` are those of the judged reconstructions.
    """
    results = []
    for what, rows in parts_of(judged).items():
        part = judged.take(rows)
        data = f"{what}, test originals, judged by a {judged.kind}"
        draws = Draws.of(part.originals, DRAWS, SEED)
        aucs = auc_draws(part, Metric("distance", Direction.DOWN, distances[rows]), draws)
        results.append(_result("AUC", data, figure_of(aucs), len(part)))
        if what == "all":
            leakage = calibration.leakage(distances)
            error = calibration_error(leakage, part.shares, draws.counts[:, draws.group])
            results.append(_result("expected calibration error", data, figure_of(error), len(part)))
            results += _at_threshold(part, draws, leakage, threshold, data)
    return tuple(results)


def _at_threshold(judged: JudgedSet, draws: Draws, leakage: Floats, threshold: float, data: str) -> list[HeldOutResult]:
    majority = judged.majority
    points = [
        operating_point(np.repeat(leakage, times), np.repeat(majority, times), threshold)
        for times in draws.counts[:, draws.group].astype(np.int64)
    ]
    return [
        _result(
            f"{name} at leakage {threshold:g}",
            data,
            figure_of(np.asarray([getattr(point, name) for point in points])),
            len(judged),
        )
        for name in ("precision", "recall")
    ]


def _result(metric: str, data: str, figure: Figure, items: int) -> HeldOutResult:
    if figure.value is None or figure.low is None or figure.high is None:
        raise ValueError(f"{metric} is not defined on {data}")
    return HeldOutResult(
        metric=metric,
        data=data,
        value=round(figure.value, 4),
        low=round(figure.low, 4),
        high=round(figure.high, 4),
        confidence=CONFIDENCE,
        items=items,
    )
