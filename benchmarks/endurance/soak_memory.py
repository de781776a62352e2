"""Whether the service's memory grew over a soak."""

from collections.abc import Sequence

from benchmarks.endurance.memory import Sample, Slope, slope
from benchmarks.endurance.tally import Times

WARM_UP_SECONDS = 60.0
"""A process's memory is not looked at before it has served for so long."""
GROWTH_MIB_PER_HOUR = 60.0
"""A MiB a minute, by which memory must not certainly grow: a quarter of an hour gives intervals of tens of MiB an
hour, and says little of a slower rise."""
GROWTH_BLOCKS = 20
"""Fewer means say nothing about growth: that is five minutes."""


def memory_slope(samples: Sequence[Sample], times: Times) -> Slope | None:
    """The growth of memory while the load ran, without the warm-up of each worker; None where there is too little."""
    return slope(samples, [(times.began + WARM_UP_SECONDS, times.killed), (times.back + WARM_UP_SECONDS, times.burst)])


def growth_fault(growth: Slope | None) -> str | None:
    """What is wrong where even the low end of the slope's confidence interval is above what is allowed."""
    if growth is None or growth.blocks < GROWTH_BLOCKS or growth.low <= GROWTH_MIB_PER_HOUR:
        return None
    return f"memory grows by {growth.low:.0f} MiB/hour or more, allowed {GROWTH_MIB_PER_HOUR:g}"
