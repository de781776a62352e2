"""Krippendorff's alpha for classes without an order, with bootstrap intervals.

It follows Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C. There may be any number of
annotators, each of whom judged any part of the items. 1 is perfect agreement, 0 is what chance would give, and a
value below 0 is less than that.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Floats, Interval, percentiles


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha of annotators."""

    value: float | None
    interval: Interval | None
    items: int
    """The number of items judged at least twice; the others say nothing about agreement."""
    judgements: int
    """The number of judgements of these items."""
    reason: str | None = None
    """The reason where there is no value, or no interval."""


def nominal_alpha(
    judgements: Sequence[tuple[Hashable, Hashable]],
    *,
    groups: Sequence[Hashable] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Alpha:
    """Alpha of judgements ``(item, value)``, with a 95% percentile interval.

    Args:
        judgements: the item and the value of each.
        groups: the group of each judgement, such as the original of its item. The bootstrap draws groups, since items
            of one group are judged alike; without groups it draws items.
        draws: how many the bootstrap makes.
        seed: makes the draws.
    """
    counts, item_groups = _counted(judgements, groups)
    pairable = counts.sum(axis=1) >= 2
    counts, item_groups = counts[pairable], item_groups[pairable]
    items, paired = len(counts), int(counts.sum())
    if not items:
        return Alpha(None, None, 0, 0, "no item was judged by two annotators")
    agreeing = (counts * (counts - 1)).sum(axis=1) / (counts.sum(axis=1) - 1)
    value = float(_alpha(agreeing.sum(), counts.sum(axis=0)))
    if np.isnan(value):
        return Alpha(None, None, items, paired, "every judgement is the same, which chance explains as well")
    _, of_item = np.unique(item_groups, return_inverse=True)
    group_count = int(of_item.max()) + 1
    if group_count == 1:
        return Alpha(value, None, items, paired, "a single group cannot be drawn anew")
    sums = np.zeros((group_count, counts.shape[1] + 1))
    np.add.at(sums, of_item, np.column_stack([agreeing, counts]))
    drawn = resampled(group_count, draws, seed) @ sums
    interval = percentiles(_alpha(drawn[:, 0], drawn[:, 1:]))
    reason = None if interval else "every judgement is the same in each of the draws"
    return Alpha(value, interval, items, paired, reason)


def _counted(
    judgements: Sequence[tuple[Hashable, Hashable]], groups: Sequence[Hashable] | None
) -> tuple[Floats, NDArray[np.int64]]:
    """The count of each value by item, ``(items, values)``, and the number of each item's group, ``(items,)``."""
    items = {item: row for row, item in enumerate(dict.fromkeys(item for item, _ in judgements))}
    values = {value: column for column, value in enumerate(dict.fromkeys(value for _, value in judgements))}
    counts = np.zeros((len(items), len(values)))
    of_item = np.arange(len(items))
    numbers: dict[Hashable, int] = {}
    for place, (item, value) in enumerate(judgements):
        counts[items[item], values[value]] += 1
        if groups is not None:
            of_item[items[item]] = numbers.setdefault(groups[place], len(numbers))
    return counts, of_item


def _alpha(agreeing: Floats, values: Floats) -> Floats:
    """Alpha of each coincidence matrix; NaN where all values are the same.

    Alpha is ``1 - (n - 1) (n - sum o_cc) / (n^2 - sum n_c^2)``. ``agreeing`` ``(...)`` is the sum of the matrix's
    diagonal, ``values`` ``(..., values)`` are its margins.
    """
    total = values.sum(axis=-1)
    chance = total**2 - (values**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha: Floats = np.where(chance > 0, 1 - (total - 1) * (total - agreeing) / chance, np.nan)
    return alpha
