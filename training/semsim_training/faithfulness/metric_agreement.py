"""The agreement of each metric with the annotators, in every draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from semsim_training.faithfulness.study import ANNOTATORS, Study
from semsim_training.statistics.bootstrap import Draws, positions
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc, kendall_rows, pearson_rows, spearman, spearman_rows


class Level(StrEnum):
    """The things that a statistic ranks."""

    SETTINGS = "settings"
    """Means over a setting's reconstructions, as the paper compares metrics."""
    IMAGES = "images"
    """Single reconstructions, of all settings together."""


class Statistic(StrEnum):
    """A figure of agreement, higher = better."""

    AUC = "auc"
    """The chance that a recognised reconstruction leaks more, by the metric, than one that was not; .5 = by chance."""
    JUDGEMENT_AUC = "judgement_auc"
    """The AUC over judgements: a reconstruction that 2 of 5 recognised is 2 times recognised and 3 times not."""
    IMAGE_SPEARMAN = "image_spearman"
    SETTING_SPEARMAN = "setting_spearman"
    SETTING_KENDALL = "setting_kendall"
    """Kendall's tau-b."""
    SETTING_PEARSON = "setting_pearson"

    @property
    def level(self) -> Level:
        """The level at which it ranks."""
        return Level.SETTINGS if self.startswith("setting") else Level.IMAGES

    @property
    def chance(self) -> float:
        """The value of a metric that knows nothing."""
        return 0.5 if self in (Statistic.AUC, Statistic.JUDGEMENT_AUC) else 0.0


_OVER_SETTINGS: Mapping[Statistic, Callable[[Floats, Floats], Floats]] = {
    Statistic.SETTING_SPEARMAN: spearman_rows,
    Statistic.SETTING_KENDALL: kendall_rows,
    Statistic.SETTING_PEARSON: pearson_rows,
}


@dataclass(frozen=True, slots=True, eq=False)
class SettingMeans:
    """Means of each setting in each draw, ``(1 + draws, settings)``, in the order of the judged set's settings."""

    shares: Floats
    """The mean recognised share."""
    metrics: Mapping[str, Floats]
    """The mean of each metric, in its own unit; infinite values as :attr:`Metric.finite` counts them."""
    leakage: Mapping[str, Floats]
    """The mean of the annotators and of each metric, turned so that higher means more leakage."""

    @classmethod
    def of(cls, study: Study, draws: Draws) -> "SettingMeans":
        """The means over the items of each draw; every item counts the same."""
        settings = positions(study.judged.setting_names, study.judged.settings)
        shares = draws.means(study.judged.shares, settings)
        metrics = {metric.name: draws.means(metric.finite, settings) for metric in study.metrics}
        turned = {metric.name: metric.direction.sign * metrics[metric.name] for metric in study.metrics}
        return cls(shares, metrics, {ANNOTATORS: shares, **turned})


def agreement_draws(study: Study, draws: Draws, means: SettingMeans) -> dict[tuple[str, Statistic], Floats]:
    """Each statistic of each metric in each draw, ``(1 + draws,)``; NaN where it is not defined."""
    statistics = image_agreement_draws(study, draws)
    for metric in study.metrics:
        for statistic, compute in _OVER_SETTINGS.items():
            statistics[metric.name, statistic] = compute(means.leakage[metric.name], means.shares)
    return statistics


def image_agreement_draws(study: Study, draws: Draws) -> dict[tuple[str, Statistic], Floats]:
    """Each statistic over images of each metric in each draw, ``(1 + draws,)``; NaN where it is not defined."""
    judged = study.judged
    values = {
        (metric.name, statistic): np.empty(len(draws.counts))
        for metric in study.metrics
        for statistic in Statistic
        if statistic.level is Level.IMAGES
    }
    rankings = {metric.name: Ranking.of(metric.leakage) for metric in study.metrics}
    by_share = Ranking.of(judged.shares)
    for rows, weights in draws.weights():
        shares = by_share.centred_ranks(weights)
        for name, ranking in rankings.items():
            ranks = ranking.centred_ranks(weights)
            values[name, Statistic.IMAGE_SPEARMAN][rows] = spearman(ranks, shares, weights)
            values[name, Statistic.AUC][rows] = auc(ranking, weights * judged.majority, weights * ~judged.majority)
            values[name, Statistic.JUDGEMENT_AUC][rows] = auc(
                ranking, weights * judged.recognised, weights * (judged.annotators - judged.recognised)
            )
    return values
