"""Confidence intervals of shares and of bootstrap draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
"""The confidence of every interval."""

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """The range in which a figure lies with 95% confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A count of a total, with Wilson's score interval of the share (Wilson, JASA 1927)."""

    count: int
    of: int
    value: float | None
    """The share, 0..1; ``None`` where there is nothing to count."""
    interval: Interval | None
    """The interval of the share; ``None`` where there is nothing to count."""

    @classmethod
    def of_outcomes(cls, outcomes: list[bool]) -> Self:
        """The share of outcomes that are true."""
        return cls._of(sum(outcomes), len(outcomes))

    @classmethod
    def together(cls, rates: Iterable[Self]) -> Self:
        """The share of all outcomes that several rates count."""
        counted = list(rates)
        return cls._of(sum(rate.count for rate in counted), sum(rate.of for rate in counted))

    @classmethod
    def _of(cls, count: int, of: int) -> Self:
        return cls(count, of, count / of if of else None, wilson(count, of))


def wilson(count: float, of: int) -> Interval | None:
    """Wilson's interval of a share, within 0..1; ``None`` where there is nothing to count."""
    if of == 0:
        return None
    share, square = count / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    reach = _Z / (1 + square) * (share * (1 - share) / of + square / (4 * of)) ** 0.5
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


def percentiles(draws: Floats) -> Interval | None:
    """The percentile interval of the finite ``draws``; ``None`` where none is finite."""
    finite = draws[np.isfinite(draws)]
    if not finite.size:
        return None
    low, high = np.quantile(finite, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(float(low), float(high))
