"""What is measured, and how several measurements become one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median


@dataclass(frozen=True, slots=True)
class Run:
    """One contender under one load, once."""

    pairs_per_second: float
    p50: float
    """Seconds from a request's first byte to its answer's last; NaN for a loop, which has no requests."""
    p99: float
    cpu_per_pair: float
    """Seconds of CPU of all of the server's processes, a pair."""
    memory: float
    """Resident bytes of all of the server's processes."""
    load_cores: float
    """Cores that the load generator took: the server did not have them."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(*(median(getattr(run, field.name) for run in runs) for field in fields(Run)))
