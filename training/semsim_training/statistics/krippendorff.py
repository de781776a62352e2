"""Krippendorff's alpha for classes without an order, with bootstrap intervals.

Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: any number of annotators, any of whom may
have judged any part of the items. 1 is perfect agreement, 0 what chance would give, below 0 less than that.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim_training.statistics.intervals import Interval, percentiles, resampled


@dataclass(frozen=True, slots=True)
class Alpha:
    """How far annotators agree."""

    value: float | None
    interval: Interval | None
    items: int
    """Judged at least twice; the others say nothing about agreement."""
    judgements: int
    """Of those items."""
    reason: str | None = None
    """Why there is no value, or no interval."""


def nominal_alpha(
    answers: Sequence[tuple[Hashable, Hashable]],
    *,
    groups: Sequence[Hashable] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Alpha:
    """Alpha of ``(item, value)`` pairs, one for each judgement, with a 95% percentile interval.

    The bootstrap draws ``groups`` (one for each judgement, such as the original that its item was made of) with
    replacement, or items where there are none: what is made of one thing is judged alike, and drawing it apart would
    claim a precision that is not there.
    """
    counts, item_groups = _counted(answers, groups)
    pairable = counts.sum(axis=1) >= 2
    counts, item_groups = counts[pairable], item_groups[pairable]
    items, judgements = len(counts), int(counts.sum())
    if not items:
        return Alpha(None, None, 0, 0, "no item was judged by two annotators")
    agreeing = (counts * (counts - 1)).sum(axis=1) / (counts.sum(axis=1) - 1)
    value = float(_alpha(agreeing.sum(), counts.sum(axis=0)))
    if np.isnan(value):
        return Alpha(None, None, items, judgements, "every answer is the same, which chance explains as well")
    _, of_item = np.unique(item_groups, return_inverse=True)
    group_count = int(of_item.max()) + 1
    if group_count == 1:
        return Alpha(value, None, items, judgements, "a single group cannot be drawn anew")
    sums = np.zeros((group_count, counts.shape[1] + 1))
    np.add.at(sums, of_item, np.column_stack([agreeing, counts]))
    drawn = resampled(group_count, draws, seed) @ sums
    interval = percentiles(_alpha(drawn[:, 0], drawn[:, 1:]))
    reason = None if interval else "every answer is the same in each of the draws"
    return Alpha(value, interval, items, judgements, reason)


def _counted(
    answers: Sequence[tuple[Hashable, Hashable]], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How many gave each value to each item, ``(items, values)``, and the number of each item's group, ``(items,)``."""
    items = {item: row for row, item in enumerate(dict.fromkeys(item for item, _ in answers))}
    values = {value: column for column, value in enumerate(dict.fromkeys(value for _, value in answers))}
    counts = np.zeros((len(items), len(values)))
    of_item = np.arange(len(items))
    numbers: dict[Hashable, int] = {}
    for place, (item, value) in enumerate(answers):
        counts[items[item], values[value]] += 1
        if groups is not None:
            of_item[items[item]] = numbers.setdefault(groups[place], len(numbers))
    return counts, of_item


def _alpha(agreeing: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Alpha from the diagonal of the coincidence matrix, summed, ``(...)``, and its margins, ``(..., values)``.

    1 - (n - 1) (n - sum o_cc) / (n^2 - sum n_c^2); not a number where all values are the same.
    """
    total = values.sum(axis=-1)
    chance = total**2 - (values**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha: NDArray[np.float64] = np.where(chance > 0, 1 - (total - 1) * (total - agreeing) / chance, np.nan)
    return alpha
