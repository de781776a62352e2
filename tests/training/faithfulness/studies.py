"""Small made-up studies, and slow independent computations of the statistics on them."""

from bisect import bisect_left, bisect_right
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.study import Study
from semsim_training.judged.judged_set import JudgedSet


def made_up(seed: int = 0, originals: int = 30, settings: int = 4) -> Study:
    """Every original in every setting, judged by five people; a metric that half agrees, its negative, and a guess."""
    rng = np.random.default_rng(seed)
    rows = [(setting, original) for setting in range(settings) for original in range(originals)]
    clear = np.array([0.2 + 0.6 * setting / settings for setting, _ in rows]) + rng.normal(0, 0.1, len(rows))
    recognised = rng.binomial(5, np.clip(clear, 0, 1))
    noise = rng.normal(0, 0.1, len(rows))
    judged = JudgedSet(
        name="made-up",
        kind=AnnotatorKind.PERSON,
        items=tuple(f"{setting}/{original}" for setting, original in rows),
        settings=tuple(f"net--attack--{'abcdefgh'[setting]}" for setting, _ in rows),
        originals=tuple(str(original) for _, original in rows),
        recognised=recognised,
        annotators=np.full(len(rows), 5),
    )
    return Study(
        judged,
        (
            Metric("psnr", Direction.UP, np.round(10 * (clear + noise), 1)),
            Metric("mse", Direction.DOWN, -np.round(10 * (clear + noise), 1)),
            Metric("guess", Direction.UP, rng.normal(0, 1, len(rows))),
        ),
    )


def with_judged(study: Study, **changes: Any) -> Study:
    """The study with some columns of its judged set changed."""
    return replace(study, judged=replace(study.judged, **changes))


def ranks(values: list[float]) -> list[float]:
    """The mid-ranks of values, from 1."""
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value) + 1) / 2 for value in values]


def pearson(first: list[float], second: list[float]) -> float:
    """Pearson's correlation, term by term."""
    left, right = sum(first) / len(first), sum(second) / len(second)
    above = sum((a - left) * (b - right) for a, b in zip(first, second, strict=True))
    return above / sqrt(sum((a - left) ** 2 for a in first) * sum((b - right) ** 2 for b in second))


def spearman(first: list[float], second: list[float]) -> float:
    """Pearson's correlation of mid-ranks."""
    return pearson(ranks(first), ranks(second))


def kendall(first: list[float], second: list[float]) -> float:
    """Kendall's tau-b, pair by pair."""
    agree = left = right = 0
    for a in range(len(first)):
        for b in range(a):
            one = (first[a] > first[b]) - (first[a] < first[b])
            other = (second[a] > second[b]) - (second[a] < second[b])
            agree, left, right = agree + one * other, left + abs(one), right + abs(other)
    return agree / sqrt(left * right)


def auc(positives: list[float], negatives: list[float]) -> float:
    """The share of pairs in which the positive is higher; a tie counts half."""
    ordered = sorted(negatives)
    wins = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in positives)
    return wins / (len(positives) * len(negatives))
