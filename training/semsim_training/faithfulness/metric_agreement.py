"""How far each metric agrees with the judges, in every draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from semsim_training.faithfulness.resampling import Draws
from semsim_training.faithfulness.study import JUDGES, Floats, Study, positions
from semsim_training.statistics.ranks import Ranking, auc, kendall_rows, pearson_rows, spearman, spearman_rows


class Level(StrEnum):
    """What is ranked."""

    SETTINGS = "settings"
    """Means over a setting's reconstructions, as the paper compares metrics."""
    IMAGES = "images"
    """Single reconstructions, of all settings together."""


class Statistic(StrEnum):
    """A figure of agreement, higher = better."""

    AUC = "auc"
    """The chance that a recognised reconstruction leaks more, by the metric, than one that was not; .5 = by chance."""
    VOTE_AUC = "vote_auc"
    """The same over votes: a reconstruction that 2 of 5 recognised is 2 times recognised and 3 times not."""
    IMAGE_SPEARMAN = "image_spearman"
    SETTING_SPEARMAN = "setting_spearman"
    SETTING_KENDALL = "setting_kendall"
    """Tau-b."""
    SETTING_PEARSON = "setting_pearson"

    @property
    def level(self) -> Level:
        """What it ranks."""
        return Level.SETTINGS if self.startswith("setting") else Level.IMAGES

    @property
    def chance(self) -> float:
        """Its value for a metric that knows nothing."""
        return 0.5 if self in (Statistic.AUC, Statistic.VOTE_AUC) else 0.0


_OVER_SETTINGS: Mapping[Statistic, Callable[[Floats, Floats], Floats]] = {
    Statistic.SETTING_SPEARMAN: spearman_rows,
    Statistic.SETTING_KENDALL: kendall_rows,
    Statistic.SETTING_PEARSON: pearson_rows,
}


@dataclass(frozen=True, slots=True, eq=False)
class SettingMeans:
    """Means of each setting in each draw, ``(1 + draws, settings)``, in the order of the study's settings."""

    shares: Floats
    """Of judges who recognised."""
    metrics: Mapping[str, Floats]
    """By metric, in its own unit; infinite values as :attr:`Metric.finite` counts them."""
    leakage: Mapping[str, Floats]
    """By metric and of the judges, turned so that higher means more leakage."""

    @classmethod
    def of(cls, study: Study, draws: Draws) -> "SettingMeans":
        """The means over the items of each draw; every item counts the same."""
        groups = positions(study.setting_names, study.settings)
        shares = draws.means(study.shares, groups)
        metrics = {metric.name: draws.means(metric.finite, groups) for metric in study.metrics}
        turned = {metric.name: metric.direction.sign * metrics[metric.name] for metric in study.metrics}
        return cls(shares, metrics, {JUDGES: shares, **turned})


def agreement(study: Study, draws: Draws, means: SettingMeans) -> dict[tuple[str, Statistic], Floats]:
    """Each statistic of each metric in each draw, ``(1 + draws,)``; NaN where it is not defined."""
    found = _over_images(study, draws)
    for metric in study.metrics:
        for statistic, compute in _OVER_SETTINGS.items():
            found[metric.name, statistic] = compute(means.leakage[metric.name], means.shares)
    return found


def _over_images(study: Study, draws: Draws) -> dict[tuple[str, Statistic], Floats]:
    statistics = [statistic for statistic in Statistic if statistic.level is Level.IMAGES]
    found = {
        (metric.name, statistic): np.empty(len(draws.counts)) for metric in study.metrics for statistic in statistics
    }
    rankings = {metric.name: Ranking.of(metric.leakage) for metric in study.metrics}
    judged = Ranking.of(study.shares)
    for rows, weights in draws.weights():
        shares = judged.centred_ranks(weights)
        for name, ranking in rankings.items():
            ranks = ranking.centred_ranks(weights)
            found[name, Statistic.IMAGE_SPEARMAN][rows] = spearman(ranks, shares, weights)
            found[name, Statistic.AUC][rows] = auc(ranking, weights * study.majority, weights * ~study.majority)
            votes, others = weights * study.recognised, weights * (study.judges - study.recognised)
            found[name, Statistic.VOTE_AUC][rows] = auc(ranking, votes, others)
    return found
