"""Settings and reconstructions on which metrics contradict each other, or the annotators."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from semsim_training.faithfulness.metric_agreement import SettingMeans
from semsim_training.faithfulness.report import ImagePair, SettingPair
from semsim_training.faithfulness.study import ANNOTATORS, Study
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import pair_signs


def image_correlations(study: Study) -> Floats:
    """Spearman over images between annotators and all metrics, ``(1 + metrics,) * 2``; NaN where one is constant."""
    return _correlations(np.stack(list(study.leakages.values())))


def setting_correlations(means: SettingMeans) -> Floats:
    """Spearman over settings between annotators and all metrics, ``(1 + metrics,) * 2``."""
    return _correlations(np.stack([values[0] for values in means.leakage.values()]))


def _correlations(values: Floats) -> Floats:
    ranks = rankdata(values, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(axis=1))
    scale = np.outer(lengths, lengths)
    correlations: Floats = np.divide(ranks @ ranks.T, scale, out=np.full(scale.shape, np.nan), where=scale > 0)
    return correlations


def setting_contradictions(study: Study, means: SettingMeans) -> list[SettingPair]:
    """All pairs of settings that two metrics, or the annotators and a metric, order differently.

    Those that hold in most draws come first, and of these the ones with the widest margin.
    """
    names = study.judged.setting_names
    pairs = list(zip(*np.triu_indices(len(names), k=1), strict=True))
    spread = {ANNOTATORS: study.judged.shares.std(), **{metric.name: metric.finite.std() for metric in study.metrics}}
    signs = {name: pair_signs(values) for name, values in means.leakage.items()}
    contradictions = []
    for first, second in combinations(means.leakage, 2):
        left, right = signs[first], signs[second]
        persists = ((left[1:] == left[0]) & (right[1:] == right[0])).mean(axis=0)
        for column in np.flatnonzero(left[0] * right[0] < 0):
            up, down = pairs[column] if left[0, column] > 0 else pairs[column][::-1]
            margins = [
                float(abs(means.leakage[name][0, up] - means.leakage[name][0, down]) / spread[name])
                for name in (first, second)
            ]
            contradictions.append(
                SettingPair(
                    first=first,
                    second=second,
                    leaky=names[up],
                    safe=names[down],
                    margin_first=margins[0],
                    margin_second=margins[1],
                    held=float(persists[column]),
                )
            )
    return sorted(contradictions, key=lambda one: (-one.held, -min(one.margin_first, one.margin_second)))


def image_contradictions(study: Study, count: int) -> list[ImagePair]:
    """The ``count`` items whose ranks differ most, widest first, of each ordered pair of annotators and metrics.

    Ranks are 0..1 among all items; ties share their middle rank.
    """
    judged = study.judged
    ranks = {name: (rankdata(values) - 0.5) / len(values) for name, values in study.leakages.items()}
    return [
        ImagePair(
            first=first,
            second=second,
            item=judged.items[row],
            setting=judged.settings[row],
            recognised=int(judged.recognised[row]),
            annotators=int(judged.annotators[row]),
            rank_first=float(ranks[first][row]),
            rank_second=float(ranks[second][row]),
        )
        for first, second in _ordered_pairs(ranks)
        for row in np.argsort(ranks[second] - ranks[first], kind="stable")[:count]
        if ranks[first][row] > ranks[second][row]
    ]


def _ordered_pairs(names: Mapping[str, Floats]) -> Iterator[tuple[str, str]]:
    for first, second in combinations(names, 2):
        yield first, second
        yield second, first
