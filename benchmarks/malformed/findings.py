"""The results of malformed inputs: counts by kind and outcome, and the faults."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from benchmarks.malformed.inputs.kinds import InputKind

_KEPT = 3


@dataclass(frozen=True, slots=True)
class Block:
    """Some inputs of one kind."""

    kind: InputKind
    first: int
    count: int

    @property
    def name(self) -> str:
        """The kind, and the numbers of the inputs."""
        return f"{self.kind.name} {self.first} to {self.first + self.count - 1}"


@dataclass
class Findings:
    """All that a run gave."""

    seed: int
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By kind of input: how often each outcome was."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By kind of input: the time that sending took."""
    refused: Counter[str] = field(default_factory=Counter)
    """By kind of input: connections that were refused, and got a moment later."""
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By fault: the inputs that brought it about."""
    probes: int = 0
    memory_mib: list[float] = field(default_factory=list)
    """Before the first block, and after each."""
    most_mib: float = 0.0
    """At any moment."""

    @property
    def growth_mib(self) -> float:
        """The memory at its most, less the memory before."""
        return self.most_mib - self.memory_mib[0]

    def note(self, block: Block, index: int, outcome: str, *faults: str | None) -> None:
        """Note how an input of a block ended, and what was wrong with that, if anything was."""
        self.outcomes[block.kind.name][outcome] += 1
        for what in filter(None, faults):
            self.faults[what].append(f"{block.kind.name} {block.first + index}")

    def told(self) -> list[str]:
        """The faults, each with how often it was and where first."""
        return [f"{len(places)} times, {', '.join(places[:_KEPT])}: {what}" for what, places in self.faults.items()]
