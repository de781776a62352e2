"""One run of the benchmark: every contender under every load, in turn, round by round."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.harness.processes import awake, process
from benchmarks.serving.cells import Cell, Loop, Run, ServingPlan, middle
from benchmarks.serving.contenders import Contender, ContenderServer, started
from benchmarks.serving.load import measure
from benchmarks.serving.loops import BATCH_PAIRS, measure_loop
from benchmarks.serving.pairs import make_pairs
from semsim.memory import keep_freed_memory


@dataclass(slots=True)
class Results:
    """All runs, by load and by who ran, in the order of the rounds."""

    plan: ServingPlan
    contenders: Sequence[Contender]
    loops: dict[tuple[Cell, Contender, Loop], list[Run]] = field(default_factory=dict)
    """Each loop beside each contender's runs: the mean of just before and just after."""
    servers: dict[tuple[Cell, Contender], list[Run]] = field(default_factory=dict)

    def figures(self, cell: Cell, who: Contender | Loop) -> Run:
        """The medians over the rounds."""
        if isinstance(who, Loop):
            return middle([run for contender in self.contenders for run in self.loops[cell, contender, who]])
        return middle(self.servers[cell, who])

    def ratio(self, cell: Cell, contender: Contender, other: Contender | Loop) -> float:
        """A contender's throughput over that of ``other``: round by round, the median.

        Against a loop beside the same run: what else the machine does changes within seconds.
        """
        theirs = self.loops[cell, contender, other] if isinstance(other, Loop) else self.servers[cell, other]
        runs = zip(self.servers[cell, contender], theirs, strict=True)
        return median(mine.pairs_per_second / its.pairs_per_second for mine, its in runs)

    def latency(self, cell: Cell, contender: Contender, loop: Loop) -> float:
        """A contender's p50 over a loop's time for one pair beside the same run: the median."""
        runs = zip(self.servers[cell, contender], self.loops[cell, contender, loop], strict=True)
        return median(mine.p50 * its.pairs_per_second for mine, its in runs)


@contextmanager
def prepared(plan: ServingPlan, data: Path) -> Iterator[Path]:
    """A folder with the pairs of a plan, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        for side in dict.fromkeys(cell.side for cell in plan.cells):
            make_pairs(data, side, plan.pool).save(Path(folder), side)
        yield Path(folder)


def run(plan: ServingPlan, data: Path, servers: Sequence[ContenderServer]) -> Results:
    """Start everything, measure, stop everything."""
    with (
        prepared(plan, data) as folder,
        process(keep_freed_memory) as loops,
        process() as load,
        started(servers, folder) as contenders,
    ):

        def measure_loops() -> dict[Loop, Run]:
            batch = 1 if cell.lone else BATCH_PAIRS
            return {loop: loops(measure_loop, folder, loop, cell.side, plan.loop_seconds, batch) for loop in Loop}

        results = Results(plan, contenders)
        for number in range(plan.rounds):
            # Each round begins with another one, so that none always comes after the same.
            first = number % len(contenders)
            for cell in plan.cells:
                sys.stderr.write(f"round {number + 1} of {plan.rounds}: {cell}\n")
                before = measure_loops()
                for contender in (*contenders[first:], *contenders[:first]):
                    with awake(contender.pid):
                        done = load(measure, folder, contender, cell, plan)
                    results.servers.setdefault((cell, contender), []).append(done)
                    after = measure_loops()
                    for loop in Loop:
                        beside = middle([before[loop], after[loop]])
                        results.loops.setdefault((cell, contender, loop), []).append(beside)
                    before = after
        return results
