"""Intervals of shares and of bootstrap draws."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """Where 95% of what might have come lies."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, with Wilson's score interval (Wilson, JASA 1927)."""

    count: int
    of: int
    value: float | None
    """0..1; ``None`` of nothing."""
    interval: Interval | None

    @classmethod
    def of_outcomes(cls, outcomes: list[bool]) -> Self:
        """The share of outcomes that are true."""
        count, of = sum(outcomes), len(outcomes)
        return cls(count, of, count / of if of else None, wilson(count, of))


def wilson(count: int, of: int) -> Interval | None:
    """Wilson's interval of a share, within 0..1; ``None`` of nothing."""
    if of == 0:
        return None
    share, square = count / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    reach = _Z / (1 + square) * (share * (1 - share) / of + square / (4 * of)) ** 0.5
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


def resampled(groups: int, draws: int, seed: int) -> NDArray[np.float64]:
    """How often each group is in each bootstrap draw, ``(draws, groups)``; every row sums to ``groups``."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


def percentiles(values: NDArray[np.float64]) -> Interval | None:
    """The percentile interval of the draws that are numbers; ``None`` where none is."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(float(low), float(high))
