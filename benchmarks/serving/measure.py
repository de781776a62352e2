"""One run of the benchmark: every contender under every load, in turn, round by round."""

import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.serving.cells import Cell, Loop, Plan
from benchmarks.serving.contenders import Contender, Server, running
from benchmarks.serving.figures import Run, middle
from benchmarks.serving.pairs import file_of, make_pairs
from benchmarks.serving.processes import Worker, awake


@dataclass(slots=True)
class Results:
    """All runs, by load and by who ran, in the order of the rounds."""

    plan: Plan
    contenders: Sequence[Contender]
    loops: dict[tuple[Cell, Contender, Loop], list[Run]] = field(default_factory=dict)
    """What each loop reached beside each contender's runs: the mean of just before and just after."""
    servers: dict[tuple[Cell, Contender], list[Run]] = field(default_factory=dict)

    def figures(self, cell: Cell, who: Contender | Loop) -> Run:
        """The medians over the rounds."""
        if isinstance(who, Loop):
            return middle([run for contender in self.contenders for run in self.loops[cell, contender, who]])
        return middle(self.servers[cell, who])

    def ratio(self, cell: Cell, contender: Contender, other: Contender | Loop) -> float:
        """How many times the throughput of ``other``: round by round, the median.

        Against a loop beside the same run: what else the machine does changes within seconds.
        """
        theirs = self.loops[cell, contender, other] if isinstance(other, Loop) else self.servers[cell, other]
        runs = zip(self.servers[cell, contender], theirs, strict=True)
        return median(mine.pairs_per_second / its.pairs_per_second for mine, its in runs)

    def tail(self, cell: Cell, contender: Contender) -> float:
        """The 99th percentile of the latency over the median one."""
        figures = self.figures(cell, contender)
        return figures.p99 / figures.p50 if figures.p50 else math.nan


def run(plan: Plan, data: Path, servers: Sequence[Server]) -> Results:
    """Start everything, measure, stop everything."""
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        scratch = Path(folder)
        for side in dict.fromkeys(cell.side for cell in plan.cells):
            make_pairs(data, side, plan.pool).save(file_of(scratch, side))
        with (
            _worker("loops", scratch) as loops,
            _worker("load", scratch) as load,
            running(servers, scratch) as contenders,
        ):
            results = Results(plan, contenders)
            for number in range(plan.rounds):
                for cell in plan.cells:
                    sys.stderr.write(f"round {number + 1} of {plan.rounds}: {cell}\n")
                    # Each round begins with another one, so that none always comes after the same.
                    first = number % len(contenders)
                    order = [*contenders[first:], *contenders[:first]]
                    _measure(cell, order, results, loops, load)
            return results


def _measure(cell: Cell, order: Sequence[Contender], results: Results, loops: Worker, load: Worker) -> None:
    before = _loops(cell, results.plan, loops)
    for contender in order:
        with awake(contender.pid):
            done = load.ask(job_of(contender, cell, results.plan))
        results.servers.setdefault((cell, contender), []).append(Run(**done))
        after = _loops(cell, results.plan, loops)
        for loop in Loop:
            beside = middle([before[loop], after[loop]])
            results.loops.setdefault((cell, contender, loop), []).append(beside)
        before = after


def _loops(cell: Cell, plan: Plan, loops: Worker) -> dict[Loop, Run]:
    return {loop: Run(**loops.ask({"loop": loop, "side": cell.side, "seconds": plan.loop_seconds})) for loop in Loop}


def job_of(contender: Contender, cell: Cell, plan: Plan) -> dict[str, str | int | float]:
    """What the load generator is asked."""
    return {
        "form": contender.form,
        "path": contender.path,
        "port": contender.port,
        "pid": contender.pid,
        "side": cell.side,
        "pairs": cell.pairs,
        "clients": cell.clients,
        "warm_up": plan.warm_up,
        "seconds": plan.seconds,
    }


@contextmanager
def _worker(name: str, folder: Path) -> Iterator[Worker]:
    worker = Worker(f"benchmarks.serving.{name}", str(folder))
    try:
        yield worker
    finally:
        worker.close()
