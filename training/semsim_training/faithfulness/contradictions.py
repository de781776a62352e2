"""Where metrics contradict each other, and the judges."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from semsim_training.faithfulness.metric_agreement import SettingMeans
from semsim_training.faithfulness.study import JUDGES, Floats, Study
from semsim_training.statistics.ranks import pair_signs


def leakages(study: Study) -> dict[str, Floats]:
    """What the judges and each metric say of every item, ``(N,)`` each, higher = more leakage."""
    return {JUDGES: study.shares, **{metric.name: metric.leakage for metric in study.metrics}}


def image_correlations(study: Study) -> Floats:
    """Spearman over images between the judges and all metrics, ``(1 + metrics, 1 + metrics)``; NaN: one is constant."""
    return _correlations(np.stack(list(leakages(study).values())))


def setting_correlations(means: SettingMeans) -> Floats:
    """Spearman over settings between the judges and all metrics, ``(1 + metrics, 1 + metrics)``."""
    return _correlations(np.stack([values[0] for values in means.leakage.values()]))


def _correlations(values: Floats) -> Floats:
    ranks = rankdata(values, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(axis=1))
    scale = np.outer(lengths, lengths)
    correlations: Floats = np.divide(ranks @ ranks.T, scale, out=np.full(scale.shape, np.nan), where=scale > 0)
    return correlations


@dataclass(frozen=True, slots=True)
class SettingContradiction:
    """Two settings that two metrics, or the judges and a metric, order differently."""

    first: str
    second: str
    """By ``first`` the setting ``leaky`` leaks more than ``safe``, by ``second`` less."""
    leaky: str
    safe: str
    margin_first: float
    """How far apart the settings are, in standard deviations of ``first`` over images."""
    margin_second: float
    held: float
    """The share of draws of originals in which both still say so."""

    @property
    def margin(self) -> float:
        """The smaller of the two."""
        return min(self.margin_first, self.margin_second)


def setting_contradictions(study: Study, means: SettingMeans) -> list[SettingContradiction]:
    """All of them, those that hold in most draws first, and of these those with the widest margin."""
    names = study.setting_names
    pairs = list(zip(*np.triu_indices(len(names), k=1), strict=True))
    spread = {JUDGES: study.shares.std(), **{metric.name: metric.finite.std() for metric in study.metrics}}
    signs = {name: pair_signs(values) for name, values in means.leakage.items()}
    found = []
    for first, second in combinations(means.leakage, 2):
        left, right = signs[first], signs[second]
        persists = ((left[1:] == left[0]) & (right[1:] == right[0])).mean(axis=0)
        for column in np.flatnonzero(left[0] * right[0] < 0):
            up, down = pairs[column] if left[0, column] > 0 else pairs[column][::-1]
            margins = [
                float(abs(means.leakage[name][0, up] - means.leakage[name][0, down]) / spread[name])
                for name in (first, second)
            ]
            found.append(
                SettingContradiction(
                    first, second, names[up], names[down], margins[0], margins[1], float(persists[column])
                )
            )
    return sorted(found, key=lambda one: (-one.held, -one.margin))


@dataclass(frozen=True, slots=True)
class ImageContradiction:
    """A reconstruction of which ``first`` says that it leaks, and ``second`` that it does not."""

    first: str
    second: str
    row: int
    """Of the study."""
    rank_first: float
    """Of all items, 0..1 from the least leakage to the most; equal values share their middle rank."""
    rank_second: float


def image_contradictions(study: Study, count: int) -> list[ImageContradiction]:
    """For each ordered pair of the judges and the metrics the ``count`` items whose ranks differ most, widest first."""
    ranks = percentiles(leakages(study))
    return [
        ImageContradiction(first, second, int(row), float(ranks[first][row]), float(ranks[second][row]))
        for first, second in _ordered_pairs(ranks)
        for row in np.argsort(ranks[second] - ranks[first], kind="stable")[:count]
        if ranks[first][row] > ranks[second][row]
    ]


def percentiles(values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Mid-ranks of each ``(N,)``, scaled to 0..1."""
    return {name: (rankdata(own) - 0.5) / len(own) for name, own in values.items()}


def _ordered_pairs(names: Mapping[str, Floats]) -> Iterator[tuple[str, str]]:
    for first, second in combinations(names, 2):
        yield first, second
        yield second, first
