"""The loads, the loops, the model and the figures of the benchmark."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from statistics import median

from semsim.artifact import Artifact
from semsim.providers import CPUOptions, Provider, ProviderSettings

ONE_THREAD = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
"""The network's threads, for every contender: the rest of a server has the other cores, as beside a GPU."""


def model_of_run() -> Artifact:
    """The model of the service, of its peers and of the loops: that of ``SEMSIM_ARTIFACT``, or the bundled one."""
    return Artifact.load(os.environ.get("SEMSIM_ARTIFACT"))


class Loop(StrEnum):
    """The loops without a server, which bound what a server can reach."""

    NETWORK = "loop: `session.run` alone"
    """``session.run`` on ready batches, nothing else."""
    LIBRARY = "loop: library"
    """``Scorer.score_images``: the service's work on raw images."""
    DECODING = "loop: library and PNG decoding"
    """``Scorer.score_pairs`` on PNG files in memory: the service's work on encoded images."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load."""

    side: int
    """Pixels of the square images."""
    pairs: int
    clients: int
    """Connections, each of which sends its next request when it has the last one's answer."""

    @property
    def lone(self) -> bool:
        """True for one caller with one pair, whose loop scores one pair at a time, too."""
        return (self.pairs, self.clients) == (1, 1)

    def __str__(self) -> str:
        return f"{self.clients} clients, {self.pairs} a request, {self.side} px"


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """A run of the benchmark."""

    cells: tuple[Cell, ...]
    rounds: int
    seconds: float
    """Length of one measurement of a server."""
    warm_up: float
    loop_seconds: float
    """The length of one measurement of a loop; one comes before and one after each measurement of a server."""
    pool: int
    """The number of distinct pairs, so large that no two requests in flight share an image."""


_CELLS = tuple(Cell(side, pairs, clients) for side in (32, 64) for pairs in (1, 8) for clients in (1, 16, 64))
FULL = ServingPlan(_CELLS, rounds=5, seconds=1.2, warm_up=0.4, loop_seconds=0.25, pool=1024)
QUICK = ServingPlan((Cell(64, 1, 1), Cell(64, 8, 16)), rounds=1, seconds=1.0, warm_up=0.3, loop_seconds=0.3, pool=256)


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
    load_cores: float
    """The cores that the load generator took, which the server did not have."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(*(median(getattr(run, field.name) for run in runs) for field in fields(Run)))
