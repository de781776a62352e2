"""What is measured: images of a size, pairs in a request, clients at once, and the loops without a server."""

from dataclasses import dataclass
from enum import StrEnum

from semsim.providers import CPUOptions, Provider, ProviderSettings

ONE_THREAD = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
"""The network's threads, for every contender: the rest of a server has the other cores, as beside a GPU."""


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
    """Pairs in a request."""
    clients: int
    """Connections, each of which sends its next request when it has the last one's answer."""

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
    """Seconds of load before each measurement."""
    loop_seconds: float
    """Length of one measurement of a loop; there is one before and one after each of a server."""
    pool: int
    """Distinct pairs: enough that no two requests in flight share an image."""


def _grid(sides: tuple[int, ...], pairs: tuple[int, ...], clients: tuple[int, ...]) -> tuple[Cell, ...]:
    return tuple(Cell(side, count, some) for side in sides for count in pairs for some in clients)


_CELLS = _grid((32, 64), (1, 8), (1, 16, 64))
FULL = ServingPlan(_CELLS, rounds=6, seconds=1.2, warm_up=0.4, loop_seconds=0.25, pool=1024)
QUICK = ServingPlan(_grid((64,), (1, 8), (16,)), rounds=1, seconds=1.0, warm_up=0.3, loop_seconds=0.3, pool=256)
