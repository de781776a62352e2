"""Whether the service's memory grows: its slope over a soak, and a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.soak.result import Slope, Times

WARM_UP_SECONDS = 60.0
"""A process's memory is not looked at before it has served for so long."""
GROWTH_MIB_PER_HOUR = 60.0
"""A MiB a minute, by which memory must not certainly grow: a quarter of an hour gives intervals of tens of MiB an
hour, and says little of a slower rise."""
GROWTH_BLOCKS = 20
"""Fewer means say nothing about growth: that is five minutes."""
_BLOCK_SECONDS = 15.0
"""Samples a second apart are alike: one observation is the mean over this long."""
_CONFIDENCE = 0.95


def slope(samples: Sequence[tuple[float, float]], stretches: Sequence[tuple[float, float]]) -> Slope | None:
    """The common slope of some stretches of time, each with a level of its own; None where there is too little."""
    times, values, levels = [], [], []
    for number, (begin, end) in enumerate(stretches):
        for block in _blocks([sample for sample in samples if begin <= sample[0] < end]):
            seconds, mib = np.mean(block, axis=0)
            times.append(seconds - begin)
            values.append(mib)
            levels.append(number)
    kinds = sorted(set(levels))
    freedom = len(times) - len(kinds) - 1
    if freedom < 1:
        return None
    design = np.column_stack([np.array(times), *(np.array(levels) == kind for kind in kinds)])
    solution, _, _, _ = np.linalg.lstsq(design, np.array(values), rcond=None)
    residual = np.array(values) - design @ solution
    variance = residual @ residual / freedom * np.linalg.inv(design.T @ design)[0, 0]
    margin = float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom) * np.sqrt(variance))
    hourly = float(solution[0])
    return Slope(hourly * 3600, (hourly - margin) * 3600, (hourly + margin) * 3600, len(times))


def _blocks(samples: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Whole blocks of samples."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for seconds, mib in samples:
        blocks.setdefault(int((seconds - samples[0][0]) // _BLOCK_SECONDS), []).append((seconds, mib))
    return list(blocks.values())[:-1]  # the last one is still open


def growth_fault(growth: Slope | None) -> str | None:
    """What is wrong where even the low end of the slope's confidence interval is above what is allowed."""
    if growth is None or growth.blocks < GROWTH_BLOCKS or growth.low <= GROWTH_MIB_PER_HOUR:
        return None
    return f"memory grows by {growth.low:.0f} MiB/hour or more, allowed {GROWTH_MIB_PER_HOUR:g}"


def draw_memory(samples: Sequence[tuple[float, float]], times: Times, path: Path) -> None:
    """Memory over time as a PNG, with what happened meanwhile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    begin = samples[0][0]
    axes.plot([(seconds - begin) / 60 for seconds, _ in samples], [mib for _, mib in samples], linewidth=1)
    events = {"killed": times.killed, "serves again": times.back, "SIGTERM": times.stopped}
    for number, (name, seconds) in enumerate(events.items()):
        minutes = (seconds - begin) / 60
        axes.axvline(minutes, color="0.6", linestyle="--", linewidth=0.8)
        # Each a line lower: some are close together. The name ends at its line, where there is always room.
        place = (minutes, 0.5 - 0.08 * number)
        axes.annotate(f"{name} ", place, xycoords=("data", "axes fraction"), fontsize=8, ha="right")
    axes.set(xlabel="minutes", ylabel="MiB (PSS, all processes)", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None})
