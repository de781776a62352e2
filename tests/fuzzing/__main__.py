"""A long run of the fuzzer, which goes on where it stopped.

python -m tests.fuzzing --cases 1000000 --state build/fuzzing.json
python -m tests.fuzzing --kind gate --block 17      # that block again, which prints its fault
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzzing.kinds import KINDS
from tests.fuzzing.run import BLOCK, Counted, Kind, plan, run_block
from tests.fuzzing.world import World

_SAY_SECONDS = 30.0


@dataclass
class Progress:
    """The blocks that are done, and what came of them."""

    blocks: int = 0
    cases: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """The blocks in which each fault came first."""

    @classmethod
    def read(cls, path: Path | None) -> "Progress":
        """The progress of an earlier run; none where there is no file."""
        if path is None or not path.exists():
            return cls()
        kept = json.loads(path.read_text())
        return cls(**kept | {name: Counter(kept[name]) for name in ("cases", "seconds", "outcomes")})

    def add(self, kind: Kind, number: int, counted: Counted) -> None:
        """Add a block."""
        self.blocks += 1
        self.cases[kind.name] += counted.cases
        self.seconds[kind.name] += counted.seconds
        if counted.fault:
            again = f"python -m tests.fuzzing --kind '{kind.name}' --block {number}"
            self.faults.setdefault(counted.what, []).append(again)
            print(f"\n{counted.fault}\nagain: {again}", flush=True)

    def report(self) -> str:
        """The counts, and each fault with the first block that showed it."""
        lines = [
            f"{name}: {count} cases, {1000 * self.seconds[name] / count:.1f} ms each"
            for name, count in self.cases.items()
        ]
        lines += [f"{name}: {count}" for name, count in sorted(self.outcomes.items())]
        lines += [f"{len(places)} blocks, {places[0]}: {what}" for what, places in self.faults.items()]
        return "\n".join([*lines, f"{self.cases.total()} cases, {len(self.faults)} faults"])


def main() -> int:
    """Run blocks, print faults, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--state", type=Path, help="file that keeps what is done, so that the run goes on")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], help="this kind only")
    parser.add_argument("--block", type=int, help="this block of the kind only")
    arguments = parser.parse_args()
    blocks = list(plan(arguments.cases))
    if arguments.kind:
        numbers = range(-(-arguments.cases // BLOCK)) if arguments.block is None else [arguments.block]
        blocks = [(kind, number) for kind in KINDS if kind.name == arguments.kind for number in numbers]
    progress, said = Progress.read(arguments.state), time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        world = World(Path(home), seen=progress.outcomes)
        for kind, number in blocks[progress.blocks :]:
            progress.add(kind, number, run_block(world, kind, number))
            if arguments.state:
                arguments.state.write_text(json.dumps(vars(progress), indent=1))
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                print(f"{progress.cases.total()} cases, {len(progress.faults)} faults", file=sys.stderr, flush=True)
    print(progress.report())
    return 1 if progress.faults else 0


sys.exit(main())
