"""What is measured: images of which size, how many pairs a request, how many clients, in which form."""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """How pairs travel."""

    JSON = "json"
    """HTTP, PNG in base64."""
    RAW = "raw"
    """HTTP, uint8 pixels as the body."""
    FORM = "form"
    """HTTP, uint8 pixels as a file of a form, for a server that takes no other bytes."""
    GRPC = "grpc"
    """gRPC, uint8 pixels."""


class Loop(StrEnum):
    """The loops without a server, which bound what a server can reach."""

    NETWORK = "network"
    """``session.run`` on ready batches, nothing else."""
    LIBRARY = "library"
    """``Scorer.score_images``: the service's work on raw images."""
    DECODING = "decoding"
    """``Scorer.score_pairs`` on PNG files in memory: the service's work on encoded images."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load."""

    side: int
    """Pixels of the square images."""
    pairs: int
    """Pairs a request."""
    clients: int
    """Connections, each of which sends its next request when it has the last one's answer."""

    def __str__(self) -> str:
        return f"{self.clients} clients, {self.pairs} a request, {self.side} px"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of the benchmark."""

    cells: tuple[Cell, ...]
    rounds: int
    seconds: float
    """Measured, for a server."""
    warm_up: float
    """Seconds of load before."""
    loop_seconds: float
    """Measured, for each loop, before and after each run of a server."""
    pool: int
    """Distinct pairs: enough that no two requests in flight share an image."""


def _grid(sides: tuple[int, ...], pairs: tuple[int, ...], clients: tuple[int, ...]) -> tuple[Cell, ...]:
    return tuple(Cell(side, count, some) for side in sides for count in pairs for some in clients)


FULL = Plan(_grid((32, 64), (1, 8), (1, 16, 64)), rounds=6, seconds=1.2, warm_up=0.4, loop_seconds=0.25, pool=1024)
QUICK = Plan(_grid((64,), (1, 8), (16,)), rounds=1, seconds=1.0, warm_up=0.3, loop_seconds=0.3, pool=256)
