"""The plan of a soak, and its results."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from benchmarks.harness.clients import Attempt, Purpose
from benchmarks.harness.metrics import Metrics
from benchmarks.harness.questions import Form, Mark, Size


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """The length of a soak, its clients, and the requests that they send."""

    seconds: float
    seed: int = 1
    malformed: float = 0.05
    cancelled: float = 0.02
    think_seconds: float = 0.4
    """Mean time between a client's requests. Most come one upon another, some after a long time: bursts."""
    http_clients: int = 6
    grpc_clients: int = 4
    stream_clients: int = 4
    burst: int = 4
    """The number of large questions of each of five forms in flight when SIGTERM comes, beside two of pictures."""
    picture_side: int = 2200
    back_seconds: float = inf
    """The time in which another worker must serve after the kill."""

    @property
    def mark(self) -> Mark:
        """The mark of the images of the run."""
        return Mark.of(self.seed)


@dataclass(slots=True)
class Times:
    """The moments of a run in seconds of ``time.monotonic``; infinity = not yet."""

    began: float
    killed: float = inf
    back: float = inf
    """The moment when both ports answered again."""
    burst: float = inf
    """The moment when large requests were sent at once, together more than the queue takes."""
    stopped: float = inf
    exited: float = inf


class Fate(StrEnum):
    """Why an attempt got no answer."""

    CUT = "cut by the kill"
    """The attempt began while the worker lived and had no answer when it was killed: nobody was left to answer."""
    NO_WORKER = "refused while there was no worker"
    STOPPED = "refused because of the stop"
    """The attempt was not wholly sent a moment before SIGTERM."""
    TURNED_AWAY = "refused while the service should have served"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Slope:
    """The growth of memory, MiB an hour, with a confidence interval of 95%."""

    mib_per_hour: float
    low: float
    high: float
    blocks: int


@dataclass(frozen=True, slots=True)
class Balance:
    """One count of the service against the client's: ``least`` it knows of, and as many more as it cannot know of."""

    name: str
    counted: int
    least: int
    unknown: int

    @property
    def holds(self) -> bool:
        """True where the count lies where it must."""
        return self.least <= self.counted <= self.least + self.unknown


@dataclass
class Verdict:
    """The counts of a soak, and its faults, of which there are none when the service kept its word."""

    faults: list[str] = field(default_factory=list)
    requests: Counter[tuple[Form, Purpose]] = field(default_factory=Counter)
    answered: Counter[Form] = field(default_factory=Counter)
    pairs: int = 0
    failed_pairs: int = 0
    uninformative_pairs: int = 0
    refused: dict[Purpose, Counter[str]] = field(default_factory=lambda: {purpose: Counter() for purpose in Purpose})
    fates: Counter[Fate] = field(default_factory=Counter)
    cancelled_unanswered: int = 0
    owed_at_stop: int = 0
    largest_difference: float = 0.0
    confusable: int = 0

    def fault(self, attempt: Attempt, what: str) -> None:
        """Note a fault of one attempt."""
        self.faults.append(f"{attempt.form}, seed {attempt.seed}, {attempt.purpose}: {what}")


@dataclass(slots=True)
class Soak:
    """A run: its plan, its times, its attempts and its measurements."""

    plan: SoakPlan
    times: Times
    attempts: list[Attempt]
    before: Metrics
    """The service's counters before the soak."""
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Memory over time: seconds of ``time.monotonic``, and MiB."""
    sizes: dict[int, Size] = field(default_factory=dict)
    """The sizes of the burst's questions, by seed."""
    counted: Metrics | None = None
    """The service's counters before the stop; None where it did not tell them."""
    counted_attempts: int = 0
    """Attempts that were over when the service's counters were read."""
    helpers_killed: int = 0
    """Scoring processes that were killed after the worker."""
    exit_code: int | None = None
    """The service's exit code; None where it did not end in time."""
    verdict: Verdict = field(default_factory=Verdict)
    balance: list[Balance] = field(default_factory=list)
    growth: Slope | None = None
    """The growth of memory; None where the run was too short."""
    files: int = 0
    """Files that were searched for the mark."""
