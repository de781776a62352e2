"""The report of a run, as Markdown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.harness.questions import Form
from benchmarks.serving.cells import Cell, Loop
from benchmarks.serving.contenders import Contender
from benchmarks.serving.measure import Results
from semsim_training.machine import machine
from semsim_training.markdown import records_table, table

# Fewer clients leave the network idle while their answers travel.
MANY_CLIENTS = 16
_RAW_BOUNDS = [("`session.run` alone", 0.9, Loop.NETWORK), ("the library's loop", 0.9, Loop.LIBRARY)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that must hold under every load."""

    text: str
    bound: float
    values: Mapping[Any, float]
    """The value under each load."""
    least: bool = True
    """True where ``bound`` is the lowest value allowed, rather than the highest."""

    @property
    def held(self) -> int:
        """The number of loads under which the goal holds."""
        return sum(value >= self.bound if self.least else value <= self.bound for value in self.values.values())

    @property
    def met(self) -> bool:
        """True where the goal holds under all loads."""
        return self.held == len(self.values)

    @property
    def worst(self) -> Any:
        """The load that is furthest from the goal."""
        choose: Callable[..., Any] = min if self.least else max
        return choose(self.values, key=self.values.__getitem__)


def goals(results: Results) -> list[Goal]:
    """The goals for the forms that ran: those of many clients where they ran, and those of one caller with one pair."""
    cells = [cell for cell in results.plan.cells if cell.clients >= MANY_CLIENTS]
    reached = []
    for mine in (contender for contender in results.contenders if contender.ours):
        encoded = mine.form is Form.JSON
        loops = [("the library's loop with PNG decoding", 0.8, Loop.DECODING)] if encoded else _RAW_BOUNDS
        # Those that take the same images: encoded, or raw.
        peers = [one for one in results.contenders if not one.ours and (one.form is Form.JSON) == encoded]
        bounds: list[tuple[str, float, Contender | Loop]] = [
            *((f"at least {bound} of {name}", bound, loop) for name, bound, loop in loops),
            *((f"ahead of {peer.title}", 1.0, peer) for peer in peers),
        ]
        for text, bound, other in bounds:
            ratios = {cell: results.ratio(cell, mine, other) for cell in cells}
            reached.append(Goal(f"{mine.title}: {text}", bound, ratios))
        runs = {cell: results.figures(cell, mine) for cell in cells}
        alone = [cell for cell in results.plan.cells if cell.lone]
        name, bound, loop = (" with PNG decoding", 1.4, Loop.DECODING) if encoded else ("", 1.3, Loop.LIBRARY)
        if alone:
            text = f"{mine.title}: p50 of one caller with one pair at most {bound} of the library's loop{name}"
            waits = {cell: results.latency(cell, mine, loop) for cell in alone}
            reached.append(Goal(text, bound, waits, least=False))
        tails = {cell: run.p99 / run.p50 for cell, run in runs.items()}
        reached.append(Goal(f"{mine.title}: p99 at most 4 x p50", 4.0, tails, least=False))
    return reached


def report(results: Results) -> str:
    """Goals, ratios, and all figures folded away."""
    plan = results.plan
    parts = [
        "ONNX Runtime's CPU provider with one thread for every contender, the loops too, so that what "
        "else a server does has the other core, as it would have beside a GPU. Real images and degraded copies, "
        f"{plan.pool} distinct pairs, no two requests in flight share one. Clients in a closed loop, each on a "
        "connection that stays open; the load generator is a process on the same machine, and checks a sample of all "
        f"answers against the library. {plan.rounds} rounds of {plan.seconds:g} s a server and load, all in turn, "
        "those that do not run paused, and the loops before and after each; medians; ratios run by run.",
        f"Machine: {machine()}.",
        f"Goals, at {MANY_CLIENTS} clients and more but where one caller is named:",
        goals_table(goals(results)),
        "Throughput over that of `session.run` alone, at batches of 16 ready images, or of 2 for one caller with one "
        "pair (of the library's loop over raw images, in brackets):",
        _ratios(results),
        "Columns: image size, pairs a request x clients.",
        _resources(results),
        "<details><summary>All figures</summary>",
        *_details(results),
        "</details>",
    ]
    return "\n\n".join(parts) + "\n"


def goals_table(reached: Sequence[Goal]) -> str:
    """The goals, each with the load that is furthest from it."""
    return records_table(
        [
            {
                "goal": goal.text,
                "reached": "**yes**" if goal.met else "**no**",
                "loads": f"{goal.held} of {len(goal.values)}",
                "worst": f"{goal.values[goal.worst]:.2f}",
                "at": goal.worst,
            }
            for goal in reached
        ]
    )


def _ratios(results: Results) -> str:
    def ratio(cell: Cell, contender: Contender) -> str:
        bare, library = (results.ratio(cell, contender, loop) for loop in (Loop.NETWORK, Loop.LIBRARY))
        return f"{bare:.2f} ({library:.2f})"

    cells = results.plan.cells
    head = ["", *(f"{cell.side} px, {cell.pairs} x {cell.clients}" for cell in cells)]
    return table(head, ([one.title, *(ratio(cell, one) for cell in cells)] for one in results.contenders))


def _resources(results: Results) -> str:
    """The memory of each server, and the load generator's cores. Memory belongs to a process: a server has one row."""
    groups: dict[str, list[Contender | Loop]] = {}
    for contender in results.contenders:
        groups.setdefault(contender.name, []).append(contender)
    rows = []
    for name, members in (groups | {"loops": list(Loop)}).items():
        runs = [results.figures(cell, member) for cell in results.plan.cells for member in members]
        load = "" if name == "loops" else f"{max(run.load_cores for run in runs):.2f}"
        rows.append([name, f"{max(run.memory for run in runs) / 2**20:.0f}", load])
    return table(["server", "resident MiB, most", "load generator, cores, most"], rows)


def _details(results: Results) -> Iterator[str]:
    """A table for each size of images and of requests."""
    for side, pairs in dict.fromkeys((cell.side, cell.pairs) for cell in results.plan.cells):
        cells = [cell for cell in results.plan.cells if (cell.side, cell.pairs) == (side, pairs)]
        name = f"{side} px, {pairs} a request"
        rows = [{name: one.title} | _row(results, cell, one) for one in results.contenders for cell in cells]
        loops = [dict.fromkeys(rows[0], "") | {name: loop} | _loop_row(results, cells, loop) for loop in Loop]
        yield records_table([*loops, *rows])


def _loop_row(results: Results, cells: Sequence[Cell], loop: Loop) -> dict[str, str]:
    runs = [results.figures(cell, loop) for cell in cells]
    return {
        "pairs/s": f"{median(run.pairs_per_second for run in runs):.0f}",
        "CPU ms a pair": f"{median(run.cpu_per_pair for run in runs) * 1e3:.2f}",
        "MiB": f"{median(run.memory for run in runs) / 2**20:.0f}",
    }


def _row(results: Results, cell: Cell, contender: Contender) -> dict[str, str]:
    run = results.figures(cell, contender)
    of_network, of_library, of_decoding = (f"{results.ratio(cell, contender, loop):.2f}" for loop in Loop)
    return {
        "clients": str(cell.clients),
        "pairs/s": f"{run.pairs_per_second:.0f}",
        "of `session.run`": of_network,
        "of library": of_library,
        "of library + PNG": of_decoding,
        "p50 ms": f"{run.p50 * 1e3:.1f}",
        "p99 ms": f"{run.p99 * 1e3:.1f}",
        "CPU ms a pair": f"{run.cpu_per_pair * 1e3:.2f}",
        "load cores": f"{run.load_cores:.2f}",
        "MiB": f"{run.memory / 2**20:.0f}",
    }
