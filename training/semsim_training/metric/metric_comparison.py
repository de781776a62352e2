"""Compares a trained embedding with other metrics on the same reconstructions."""

import numpy as np

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.configuration import FrozenModel
from semsim_training.faithfulness.evaluate import figure_of
from semsim_training.faithfulness.metric_agreement import SettingMeans
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.report import Figure
from semsim_training.faithfulness.study import Study
from semsim_training.judged.judged_set import FEWEST_OF_A_KIND, JudgedSet, Mask
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc, spearman_rows

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
    judgements: Figure | None = None
    """The AUC over judgements; ``None`` in results of earlier versions."""
    settings: Figure | None = None
    """Spearman between the means of settings by the metric and by the annotators; ``None`` where fewer than two
    settings have five reconstructions, or draws cannot hold them all."""


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
    over_judgements = {metric.name: figure_of(judgement_auc_draws(judged, metric, draws)) for metric in study.metrics}
    settings = _over_settings(study)
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
                judgements=over_judgements[name],
                settings=settings.get(name),
            )
            for name, drawn in values.items()
        ),
    )


def auc_draws(judged: JudgedSet, metric: Metric, draws: Draws) -> Floats:
    """The AUC of a metric against the majority in each draw, ``(1 + R,)``; the first is that of the set itself."""
    ranking, majority = Ranking.of(metric.leakage), judged.majority
    return np.concatenate([auc(ranking, weights * majority, weights * ~majority) for _, weights in draws.weights()])


def judgement_auc_draws(judged: JudgedSet, metric: Metric, draws: Draws) -> Floats:
    """The AUC of a metric over judgements in each draw, ``(1 + R,)``: 2 of 3 are twice recognised and once not."""
    ranking, recognised, others = Ranking.of(metric.leakage), judged.recognised, judged.annotators - judged.recognised
    return np.concatenate([auc(ranking, weights * recognised, weights * others) for _, weights in draws.weights()])


def _over_settings(study: Study) -> dict[str, Figure]:
    try:
        large, _ = study.without_small_settings()
        means = SettingMeans.of(large, large.draws(DRAWS, SEED))
    except InvalidAnnotations:
        return {}
    return {metric.name: figure_of(spearman_rows(means.leakage[metric.name], means.shares)) for metric in large.metrics}


def parts_of(judged: JudgedSet) -> dict[str, Mask]:
    """The parts of a judged set that are measured apart, by name: all, each data set, trained and untrained victims.

    Data sets are left out in which the majority recognised all or none, and so are kinds of victims with fewer than 10
    reconstructions that it recognised, or that it did not, and a kind without the other.
    """
    parts = {"all": np.ones(len(judged), dtype=np.bool_)}
    parts |= {name: judged.where(lambda row: row.dataset, name) for name in judged.values(lambda row: row.dataset)}
    if judged.trained.any() and not judged.trained.all():
        parts |= {"trained victims": judged.trained, "untrained victims": ~judged.trained}
    return {
        name: rows
        for name, rows in parts.items()
        if name == "all" or judged.take(rows).rarer >= (FEWEST_OF_A_KIND if name.endswith(" victims") else 1)
    }
