"""Rank statistics of many bootstrap draws at once.

The statistics over items take weights ``(R, N)``, how often each draw holds an item, and equal the plain statistic on
the items repeated that often. The statistics over settings take one row of means for each draw.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from semsim_training.statistics.intervals import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The order of N values, prepared once for the ranks of every draw."""

    order: NDArray[np.intp]
    """The items from the lowest value to the highest, ``(N,)``."""
    starts: NDArray[np.intp]
    """The places in this order at which a group of equal values begins."""
    group: NDArray[np.intp]
    """The group of equal values that each item is in, ``(N,)``."""

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Rank ``values`` ``(N,)``; infinite ones are the first or the last."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        begins = np.ones(len(values), dtype=np.bool_)
        begins[1:] = ordered[1:] != ordered[:-1]
        group = np.empty(len(values), dtype=np.intp)
        group[order] = np.cumsum(begins) - 1
        return cls(order, np.flatnonzero(begins), group)

    def group_sums(self, weights: Floats) -> Floats:
        """Sums of ``weights`` ``(R, N)`` over each group of equal values, ``(R, groups)``, lowest first."""
        sums: Floats = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        return sums

    def centred_ranks(self, weights: Floats) -> Floats:
        """Mid-ranks of the items repeated ``weights`` times, less their mean, ``(R, N)``."""
        sums = self.group_sums(weights)
        upto = np.cumsum(sums, axis=1)
        ranks: Floats = upto - (sums - 1.0) / 2.0 - (upto[:, -1:] + 1.0) / 2.0
        return ranks[:, self.group]


def spearman(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Spearman's correlation of two :meth:`Ranking.centred_ranks` in each draw, ``(R,)``; NaN where one is constant."""
    both = np.einsum("rn,rn,rn->r", weights, first, second)
    alone = np.einsum("rn,rn,rn->r", weights, first, first) * np.einsum("rn,rn,rn->r", weights, second, second)
    return _quotient(both, np.sqrt(alone))


def auc(ranking: Ranking, positive: Floats, negative: Floats) -> Floats:
    """The chance that a positive ranks above a negative, ties counted half, in each draw, ``(R,)``.

    It is Mann and Whitney's U over the number of pairs; NaN where a draw has no positive or no negative.

    Args:
        ranking: the ranking of the N items.
        positive: how many positives each item stands for in each draw, ``(R, N)``.
        negative: how many negatives each item stands for in each draw, ``(R, N)``.
    """
    wins, losses = ranking.group_sums(positive), ranking.group_sums(negative)
    below = np.cumsum(losses, axis=1) - losses / 2.0
    return _quotient((wins * below).sum(axis=1), wins.sum(axis=1) * losses.sum(axis=1))


def pearson_rows(first: Floats, second: Floats) -> Floats:
    """Pearson's correlation of each row, ``(R, S)`` to ``(R,)``; NaN where a row is constant."""
    left, right = _deviations(first), _deviations(second)
    return _quotient((left * right).sum(axis=1), np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1)))


def spearman_rows(first: Floats, second: Floats) -> Floats:
    """Spearman's correlation of each row, ``(R, S)`` to ``(R,)``."""
    return pearson_rows(rankdata(first, axis=1), rankdata(second, axis=1))


def kendall_rows(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-b of each row, ``(R, S)`` to ``(R,)``."""
    left, right = pair_signs(first), pair_signs(second)
    return _quotient((left * right).sum(axis=1), np.sqrt(np.abs(left).sum(axis=1) * np.abs(right).sum(axis=1)))


def pair_signs(values: Floats) -> Floats:
    """The sign of ``a - b`` for each pair of columns ``a < b``, ``(R, S)`` to ``(R, S(S-1)/2)``."""
    above, below = np.triu_indices(values.shape[1], k=1)
    signs: Floats = np.sign(values[:, above] - values[:, below])
    return signs


def _deviations(values: Floats) -> Floats:
    # Exactly 0 where a row is constant: its mean may be off by a rounding error.
    constant = np.ptp(values, axis=1, keepdims=True) == 0
    return np.where(constant, 0.0, values - values.mean(axis=1, keepdims=True))


def _quotient(above: Floats, below: Floats) -> Floats:
    quotient: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return quotient
