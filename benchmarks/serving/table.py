"""The report of a run, as Markdown."""

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.harness.tables import table
from benchmarks.serving.cells import Cell, Loop
from benchmarks.serving.contenders import Contender
from benchmarks.serving.figures import Run
from benchmarks.serving.goals import MANY_CLIENTS, goals
from benchmarks.serving.measure import Results
from semsim_training.machine import machine

_COLUMNS = (
    "clients",
    "pairs/s",
    "of `session.run`",
    "of library",
    "of library + PNG",
    "p50 ms",
    "p99 ms",
    "CPU ms a pair",
    "load cores",
    "MiB",
)


def report(results: Results, model: str) -> str:
    """Goals, ratios, and all figures folded away."""
    plan = results.plan
    parts = [
        f"Model {model}; ONNX Runtime's CPU provider with one thread for every contender, the loops too, so that what "
        "else a server does has the other core, as it would have beside a GPU. Real images and degraded copies, "
        f"{plan.pool} distinct pairs, no two requests in flight share one. Clients in a closed loop, each on a "
        "connection that stays open; the load generator is a process on the same machine, and checks a sample of all "
        f"answers against the library. {plan.rounds} rounds of {plan.seconds:g} s a server and load, all in turn, "
        "those that do not run paused, and the loops before and after each; medians; ratios run by run.",
        f"Machine: {machine()}.",
        f"Goals, at {MANY_CLIENTS} clients and more:",
        _goals(results),
        "Throughput over that of `session.run` alone, at batches of 16 ready images (of the library's loop over raw "
        "images, in brackets):",
        _ratios(results),
        "Columns: image size, pairs a request x clients.",
        _resources(results),
        "<details><summary>All figures</summary>",
        *_details(results),
        "</details>",
    ]
    return "\n\n".join(parts) + "\n"


def _goals(results: Results) -> str:
    rows = []
    for goal in goals(results):
        met, held = "**yes**" if goal.met else "**no**", f"{goal.held} of {len(goal.values)}"
        rows.append([goal.text, met, held, f"{goal.values[goal.worst]:.2f}", goal.worst])
    return table(["goal", "reached", "loads", "worst", "at"], rows)


def _ratios(results: Results) -> str:
    def ratio(cell: Cell, contender: Contender) -> str:
        bare, library = (results.ratio(cell, contender, loop) for loop in (Loop.NETWORK, Loop.LIBRARY))
        return f"{bare:.2f} ({library:.2f})"

    cells = results.plan.cells
    head = ["", *(f"{cell.side} px, {cell.pairs} x {cell.clients}" for cell in cells)]
    return table(head, ([one.title, *(ratio(cell, one) for cell in cells)] for one in results.contenders))


def _resources(results: Results) -> str:
    """Memory belongs to a process, so that it is told once for each server."""
    rows: list[list[str]] = []
    for name in dict.fromkeys(contender.name for contender in results.contenders):
        runs = [
            results.figures(cell, contender)
            for cell in results.plan.cells
            for contender in results.contenders
            if contender.name == name
        ]
        load = max(run.load_cores for run in runs)
        rows.append([name, _most_mib(runs), f"{load:.2f}"])
    loops = [results.figures(cell, loop) for cell in results.plan.cells for loop in Loop]
    rows.append(["loops", _most_mib(loops), ""])
    return table(["server", "resident MiB, most", "load generator, cores, most"], rows)


def _most_mib(runs: Sequence[Run]) -> str:
    return f"{max(run.memory for run in runs) / 2**20:.0f}"


def _details(results: Results) -> Iterator[str]:
    """A table for each size of images and of requests."""
    for side, pairs in dict.fromkeys((cell.side, cell.pairs) for cell in results.plan.cells):
        cells = [cell for cell in results.plan.cells if (cell.side, cell.pairs) == (side, pairs)]
        rows = []
        for loop in Loop:
            runs = [results.figures(cell, loop) for cell in cells]
            speed, cpu, memory = (
                median(getattr(run, name) for run in runs) for name in ("pairs_per_second", "cpu_per_pair", "memory")
            )
            rows.append([loop, "", f"{speed:.0f}", *[""] * 5, f"{cpu * 1e3:.2f}", "", f"{memory / 2**20:.0f}"])
        rows += [_row(results, cell, contender) for contender in results.contenders for cell in cells]
        yield table([f"{side} px, {pairs} a request", *_COLUMNS], rows)


def _row(results: Results, cell: Cell, contender: Contender) -> list[str]:
    figures = results.figures(cell, contender)
    return [
        contender.title,
        str(cell.clients),
        f"{figures.pairs_per_second:.0f}",
        *(f"{results.ratio(cell, contender, loop):.2f}" for loop in Loop),
        f"{figures.p50 * 1e3:.1f}",
        f"{figures.p99 * 1e3:.1f}",
        f"{figures.cpu_per_pair * 1e3:.2f}",
        f"{figures.load_cores:.2f}",
        f"{figures.memory / 2**20:.0f}",
    ]
