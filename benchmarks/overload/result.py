"""The plan of an overload, and its results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from statistics import mean

from benchmarks.harness.clients import Attempt
from benchmarks.harness.questions import Form, Size

QUEUE_PAIRS, QUEUE_BYTES = 1024, 256 * 2**20
"""The service's default limits."""


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """The length, the number and the size of overloads."""

    rounds: int = 3
    seconds: float = 40.0
    search_seconds: float = 4.0
    clients: tuple[int, ...] = (2, 4, 8, 16)
    """The numbers of clients among which the one is looked for that gets the most."""
    capacity_seconds: float = 10.0
    patience: float = 15.0
    size: Size = field(default_factory=lambda: Size(pairs=8, side=32))
    questions: int = 320
    """The number of distinct questions, more than fit the queue, so that no two equal images are waiting at once."""
    queue_pairs: int = QUEUE_PAIRS
    seed: int = 1


@dataclass
class Record:
    """All attempts of a phase."""

    answered: list[Attempt] = field(default_factory=list)
    refused: list[Attempt] = field(default_factory=list)
    failed: list[Attempt] = field(default_factory=list)
    """Attempts that were neither answered nor refused for want of room."""
    wrong: list[str] = field(default_factory=list)
    """The faults of wrong answers; such answers do not count."""
    arrivals: int = 0
    returned: int = 0
    """The number of times that a refused client came again."""
    gave_up: int = 0
    cut_short: int = 0
    """The number of clients that would have come again after the end."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The service under clients that always have a request open."""

    rate: float
    cpu: float
    """Seconds of the service's processors for each pair."""
    record: Record


@dataclass
class Overload:
    """One overload of one form."""

    form: Form
    pairs: int
    clients: int
    search: Sequence[Capacity]
    """The capacity with each number of clients, measured once for all overloads of the form."""
    capacities: list[Capacity]
    """The capacities before and after the overload."""
    record: Record = field(default_factory=Record)
    began: float = 0.0
    """The beginning of the time that is counted, ``time.monotonic``."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of the service's processors in the time that is counted."""
    queue_pairs: list[float] = field(default_factory=list)
    queue_bytes: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    """The seconds of each answer of ``/metrics`` beside the overload."""

    @property
    def capacity(self) -> float:
        """Pairs a second, the mean of before and after: the best of many would be that of a fast moment."""
        return mean(one.rate for one in self.capacities)

    @property
    def capacity_cpu(self) -> float:
        """Seconds of the service's processors for each pair, at capacity."""
        return mean(one.cpu for one in self.capacities)

    @property
    def busy(self) -> list[Record]:
        """The records of everything that was asked at capacity."""
        return [one.record for one in (*self.search, *self.capacities)]

    @property
    def goodput(self) -> float:
        """Pairs a second with right answers."""
        return len(self.counted(self.record.answered)) * self.pairs / self.seconds

    @property
    def ratio(self) -> float:
        """Goodput over capacity."""
        return self.goodput / self.capacity

    @property
    def refusal_cpu(self) -> float:
        """Seconds of the service's processors for each refusal: what answers at the price of capacity leave over.

        NaN where nobody was refused.
        """
        refusals, pairs = len(self.counted(self.record.refused)), len(self.counted(self.record.answered)) * self.pairs
        return max(0.0, self.cpu - self.capacity_cpu * pairs) / refusals if refusals else nan

    def counted(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """The attempts that ended in the time that is counted."""
        return [one for one in attempts if self.began <= one.ended < self.began + self.seconds]
