"""Memory of a service over time: samples, the slope, a picture."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
from scipy import stats

from benchmarks.endurance.load.running import Running

MIB = 2**20
_BLOCK_SECONDS = 15.0
"""Samples a second apart are alike: what counts as one observation is the mean over this long."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory of all processes of the service at one moment."""

    seconds: float
    """``time.monotonic``."""
    mib: float
    """Proportional set size: a page that processes share counts once."""


class MemoryWatch:
    """Samples in a thread of its own until it is stopped."""

    def __init__(self, service: Running, every_seconds: float = 1.0) -> None:
        self._service = service
        self._every = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="memory", daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._every):
            if mib := tree_mib(self._service):
                self.samples.append(Sample(time.monotonic(), mib))


def tree_mib(service: Running) -> float:
    """Memory of the service's processes now, MiB."""
    total = 0
    for process in service.processes():
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile
    return total / MIB


@dataclass(frozen=True, slots=True)
class Slope:
    """How memory grows, MiB an hour, with a confidence interval of 95%."""

    mib_per_hour: float
    low: float
    high: float
    blocks: int


def slope(samples: Sequence[Sample], stretches: Sequence[tuple[float, float]]) -> Slope | None:
    """The common slope of some stretches of time, each with a level of its own; None where there is too little.

    Args:
        samples: all of them.
        stretches: beginnings and ends, without the warm-up of the process that each is about.
    """
    times, values, levels = [], [], []
    for number, (begin, end) in enumerate(stretches):
        inside = [sample for sample in samples if begin <= sample.seconds < end]
        for block in _blocks(inside):
            times.append(np.mean([sample.seconds for sample in block]) - begin)
            values.append(np.mean([sample.mib for sample in block]))
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


def _blocks(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Whole blocks of samples."""
    if not samples:
        return []
    begin = samples[0].seconds
    count = int((samples[-1].seconds - begin) // _BLOCK_SECONDS)
    blocks: list[list[Sample]] = [[] for _ in range(count)]
    for sample in samples:
        number = int((sample.seconds - begin) // _BLOCK_SECONDS)
        if number < count:
            blocks[number].append(sample)
    return [block for block in blocks if block]


def draw_memory(samples: Sequence[Sample], events: Sequence[tuple[str, float]], path: Path) -> None:
    """Memory over time as a PNG, with what happened meanwhile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    begin = samples[0].seconds
    axes.plot([(s.seconds - begin) / 60 for s in samples], [s.mib for s in samples], linewidth=1)
    for number, (name, seconds) in enumerate(events):
        minutes = (seconds - begin) / 60
        axes.axvline(minutes, color="0.6", linestyle="--", linewidth=0.8)
        # Each a line lower: some are close together. The name ends at its line, where there is always room.
        place = (minutes, 0.5 - 0.08 * number)
        axes.annotate(f"{name} ", place, xycoords=("data", "axes fraction"), fontsize=8, ha="right")
    axes.set(xlabel="minutes", ylabel="MiB (PSS, all processes)", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None})
