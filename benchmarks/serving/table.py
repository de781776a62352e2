"""The report of a run, as Markdown."""

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.serving.cells import Cell, Loop
from benchmarks.serving.contenders import Contender
from benchmarks.serving.figures import Run
from benchmarks.serving.goals import MANY_CLIENTS, Goal, goals
from benchmarks.serving.measure import Results
from semsim_training.machine import machine

LOOPS = {
    Loop.NETWORK: "loop: `session.run` alone",
    Loop.LIBRARY: "loop: library",
    Loop.DECODING: "loop: library and PNG decoding",
}

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
    lines = [
        f"Model {model}; ONNX Runtime's CPU provider with one thread for every contender, the loops too, so that what "
        "else a server does has the other core, as it would have beside a GPU. Real images and degraded copies, "
        f"{plan.pool} distinct pairs, no two requests in flight share one. Clients in a closed loop, each on a "
        "connection that stays open; the load generator is a process on the same machine, and checks a sample of all "
        f"answers against the library. {plan.rounds} rounds of {plan.seconds:g} s a server and load, all in turn, "
        "those that do not run paused, and the loops before and after each; medians; ratios run by run.",
        "",
        f"Machine: {machine()}.",
        "",
        f"Goals, at {MANY_CLIENTS} clients and more:",
        "",
        *_goals(goals(results)),
        "",
        "Throughput over that of `session.run` alone, at batches of 16 ready images (of the library's loop over raw "
        "images, in brackets):",
        "",
        *_ratios(results),
        "",
        *_resources(results),
        "",
        "<details><summary>All figures</summary>",
        "",
        *_details(results),
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def row(cells: Sequence[str]) -> str:
    """One row of a table."""
    return "| " + " | ".join(cells) + " |"


def head(cells: Sequence[str]) -> list[str]:
    """The first two rows of a table."""
    return [row(cells), "|" + "---|" * len(cells)]


def _goals(found: Sequence[Goal]) -> Iterator[str]:
    yield from head(["goal", "reached", "loads", "worst", "at"])
    for goal in found:
        yield row(
            [
                goal.text,
                "**yes**" if goal.met else "**no**",
                f"{goal.held} of {len(goal.values)}",
                f"{goal.values[goal.worst]:.2f}",
                str(goal.worst),
            ]
        )


def _ratios(results: Results) -> Iterator[str]:
    cells = results.plan.cells
    yield from head(["", *(f"{cell.side} px, {cell.pairs} x {cell.clients}" for cell in cells)])
    for contender in results.contenders:
        yield row([contender.title, *(_ratio(results, cell, contender) for cell in cells)])
    yield ""
    yield "Columns: image size, pairs a request x clients."


def _ratio(results: Results, cell: Cell, contender: Contender) -> str:
    bare, library = (results.ratio(cell, contender, loop) for loop in (Loop.NETWORK, Loop.LIBRARY))
    return f"{bare:.2f} ({library:.2f})"


def _resources(results: Results) -> Iterator[str]:
    """Memory is a process's, so that it is told once a server."""
    yield from head(["server", "resident MiB, most", "load generator, cores, most"])
    for name in dict.fromkeys(contender.name for contender in results.contenders):
        runs = [
            results.figures(cell, contender)
            for cell in results.plan.cells
            for contender in results.contenders
            if contender.name == name
        ]
        memory, load = max(run.memory for run in runs), max(run.load_cores for run in runs)
        yield row([name, f"{memory / 2**20:.0f}", f"{load:.2f}"])
    loops = [results.figures(cell, loop) for cell in results.plan.cells for loop in Loop]
    yield row(["loops", f"{max(run.memory for run in loops) / 2**20:.0f}", ""])


def _details(results: Results) -> Iterator[str]:
    """A table for each size of images and of requests."""
    sizes = dict.fromkeys((cell.side, cell.pairs) for cell in results.plan.cells)
    for number, (side, pairs) in enumerate(sizes):
        cells = [cell for cell in results.plan.cells if (cell.side, cell.pairs) == (side, pairs)]
        if number:
            yield ""
        yield from head([f"{side} px, {pairs} a request", *_COLUMNS])
        for loop in Loop:
            runs = [results.figures(cell, loop) for cell in cells]
            yield row([LOOPS[loop], "", *_loop(runs)])
        for contender in results.contenders:
            for cell in cells:
                yield row([contender.title, str(cell.clients), *_server(results, cell, contender)])


def _loop(runs: Sequence[Run]) -> list[str]:
    speed, cpu, memory = (
        median(getattr(run, name) for run in runs) for name in ("pairs_per_second", "cpu_per_pair", "memory")
    )
    return [f"{speed:.0f}", "", "", "", "", "", f"{cpu * 1e3:.2f}", "", f"{memory / 2**20:.0f}"]


def _server(results: Results, cell: Cell, contender: Contender) -> list[str]:
    figures = results.figures(cell, contender)
    return [
        f"{figures.pairs_per_second:.0f}",
        *(f"{results.ratio(cell, contender, loop):.2f}" for loop in Loop),
        f"{figures.p50 * 1e3:.1f}",
        f"{figures.p99 * 1e3:.1f}",
        f"{figures.cpu_per_pair * 1e3:.2f}",
        f"{figures.load_cores:.2f}",
        f"{figures.memory / 2**20:.0f}",
    ]
