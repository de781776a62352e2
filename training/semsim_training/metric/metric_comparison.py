"""Compares a trained embedding with other metrics on the same reconstructions."""

import numpy as np

from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import FrozenModel
from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.report import Figure
from semsim_training.faithfulness.study import Study
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc

DRAWS = 1000
SEED = 0
TRAINED = "semsim"
"""The name of the trained embedding's distance among metrics."""


class MetricAuc(FrozenModel):
    """The agreement of a metric with the majority of annotators."""

    metric: str
    auc: Figure
    gain: Figure | None
    """The lead of the trained embedding in AUC, over the same draws; ``None`` for itself."""


class Comparison(FrozenModel):
    """Metrics on the same reconstructions."""

    what: str
    judged_by: AnnotatorKind
    items: int
    originals: int
    recognised: float
    """The share that the majority recognised."""
    metrics: tuple[MetricAuc, ...]

    @property
    def best_other(self) -> MetricAuc:
        """The metric with the greatest AUC beside the trained one."""
        return max((one for one in self.metrics if one.metric != TRAINED), key=lambda one: one.auc.value or 0)

    def of(self, metric: str) -> MetricAuc:
        """The AUC of ``metric``, and the gain over it."""
        return next(one for one in self.metrics if one.metric == metric)


def compare_metrics(judged: JudgedSet, what: str, distances: Floats, others: tuple[Metric, ...]) -> Comparison:
    """The AUC of ``distances`` ``(N,)`` and of ``others``, and the differences, over the same draws of originals."""
    study = Study(judged, (Metric(TRAINED, Direction.DOWN, distances), *others))
    draws = Draws.of(judged.originals, DRAWS, SEED)
    values = {metric.name: auc_draws(judged, metric, draws) for metric in study.metrics}
    return Comparison(
        what=what,
        judged_by=judged.kind,
        items=len(judged),
        originals=len(judged.original_names),
        recognised=round(float(judged.majority.mean()), 4),
        metrics=tuple(
            MetricAuc(
                metric=name,
                auc=figure_of(drawn),
                gain=None if name == TRAINED else figure_of(values[TRAINED] - drawn),
            )
            for name, drawn in values.items()
        ),
    )


def auc_draws(judged: JudgedSet, metric: Metric, draws: Draws) -> Floats:
    """The AUC of a metric against the majority in each draw, ``(1 + R,)``; the first is that of the set itself."""
    ranking, majority = Ranking.of(metric.leakage), judged.majority
    return np.concatenate([auc(ranking, weights * majority, weights * ~majority) for _, weights in draws.weights()])
