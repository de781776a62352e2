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
    """The outcomes, faults and memory of a run."""

    seed: int
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each kind of input had each outcome."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The seconds that sending took, by kind of input."""
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The inputs that brought each fault about."""
    probes: int = 0
    memory_mib: list[float] = field(default_factory=list)
    """The service's memory before the first block and after each block."""
    most_mib: float = 0.0
    """The service's memory at its highest."""

    @property
    def growth_mib(self) -> float:
        """The growth from the memory before the first block to the highest."""
        return self.most_mib - self.memory_mib[0]

    def note(self, block: Block, index: int, outcome: str, *faults: str | None) -> None:
        """Note how an input of a block ended, and what was wrong with that, if anything was."""
        self.outcomes[block.kind.name][outcome] += 1
        for what in filter(None, faults):
            self.faults[what].append(f"{block.kind.name} {block.first + index}")

    def fault_lines(self) -> list[str]:
        """The faults as lines of text: how often each one was, and where first."""
        return [f"{len(places)} times, {', '.join(places[:_KEPT])}: {what}" for what, places in self.faults.items()]
