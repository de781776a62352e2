"""The service's CPU and a request's time, by what they are spent on.

    python -m benchmarks.serving.breakdown [--write FILE] [--picture FILE]

py-spy samples the worker under load. Shares of the samples, times the CPU that the worker takes a pair, are the
figures: what sampling itself costs is in them, alike for all.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness.metrics import scrape
from benchmarks.harness.processes import Elsewhere, awake, process, tree
from benchmarks.harness.questions import Form
from benchmarks.harness.reports import options, publish
from benchmarks.serving.cells import Cell, Run, ServingPlan
from benchmarks.serving.contenders import OURS, Contender, started
from benchmarks.serving.load import measure
from benchmarks.serving.measure import prepared
from benchmarks.serving.parts import Part, Stage, shares, stages
from semsim_training.machine import machine
from semsim_training.markdown import table

SIDE = 64
_CELLS = (Cell(SIDE, 1, 16), Cell(SIDE, 8, 16))
PLAN = ServingPlan(_CELLS, rounds=1, seconds=6.0, warm_up=0.5, loop_seconds=0.0, pool=1024)
_RATE = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """One form under one load."""

    contender: Contender
    cell: Cell
    cpu: dict[Part, float]
    """Seconds of CPU for each pair, by what they are spent on."""
    latency: dict[Stage, float]
    """Mean seconds of a request, by what they pass with."""
    run: Run

    @property
    def title(self) -> str:
        """The name in a table."""
        return f"{self.contender.title}, {self.cell.pairs} a request"


def profile(data: Path, sampler: str) -> list[Profile]:
    """The profiles of all forms under each load."""
    with (
        prepared(PLAN, data) as folder,
        process() as load,
        started((OURS,), folder) as contenders,
        awake(contenders[0].pid),
    ):
        return [_profile(one, cell, load, sampler, folder) for one in contenders for cell in PLAN.cells]


def _profile(contender: Contender, cell: Cell, load: Elsewhere, sampler: str, folder: Path) -> Profile:
    sys.stderr.write(f"{contender.title}: {cell}\n")
    load(measure, folder, contender, cell, replace(PLAN, seconds=0.5))
    stacks = folder / "stacks"
    over_grpc = contender.form is Form.BATCH
    port, transport = (contender.port - 1, "grpc") if over_grpc else (contender.port, "http")
    before = scrape(port)
    arguments = ["record", "--pid", str(contender.pid), "--duration", f"{PLAN.seconds:.0f}", "--rate", str(_RATE)]
    arguments += ["--format", "raw", "--threads", "--subprocesses", "--full-filenames", "--output", str(stacks)]
    sampling = subprocess.Popen([sampler, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threads = _thread_seconds(contender.pid)
    run = load(measure, folder, contender, cell, replace(PLAN, seconds=PLAN.seconds + 0.5))
    threads = {thread: seconds - threads.get(thread, 0.0) for thread, seconds in _thread_seconds(contender.pid).items()}
    if sampling.wait() != 0:
        raise RuntimeError("expected py-spy to sample the service, which needs the right to trace it")
    parts = shares(stacks.read_text().splitlines(), threads)
    cpu = {part: share * run.cpu_per_pair for part, share in parts.items()}
    return Profile(contender, cell, cpu, stages(before, scrape(port), transport), run)


def _thread_seconds(pid: int) -> dict[int, float]:
    """CPU that each thread of the supervisor, and of the processes below it, has taken so far."""
    return {one.id: one.user_time + one.system_time for each in tree(pid) for one in each.threads()}


def report(profiles: list[Profile]) -> str:
    """The tables of CPU and of latency."""
    head = ["", *(profile.title for profile in profiles)]
    cpu = [[part, *(f"{one.cpu.get(part, 0) * 1e6:.0f}" for one in profiles)] for part in Part]
    cpu.append(["all", *(f"**{one.run.cpu_per_pair * 1e6:.0f}**" for one in profiles)])
    latency = [[stage, *(f"{one.latency[stage] * 1e3:.1f}" for one in profiles)] for stage in Stage]
    parts = [
        f"{SIDE} px, {_CELLS[0].clients} clients; microseconds of CPU a pair, sampled {_RATE} times a second "
        "(which slows the service down by a little).",
        f"Machine: {machine()}.",
        table(head, cpu),
        "Where a request's time goes, in milliseconds, as the service's own metrics tell:",
        table(head, latency),
    ]
    return "\n\n".join(parts) + "\n"


def draw(profiles: list[Profile], file: Path) -> None:
    """A bar for each profile, of milliseconds of CPU a pair, in its parts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.6 + 0.5 * len(profiles)), layout="constrained")
    axes = figure.add_subplot()
    left = [0.0] * len(profiles)
    for part in Part:
        widths = [one.cpu.get(part, 0.0) * 1e3 for one in profiles]
        names = [one.title for one in profiles]
        axes.barh(names, widths, left=left, color=part.colour, label=part.value, edgecolor="white", linewidth=0.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of CPU a pair")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    figure.savefig(file)


def main() -> None:
    """Measure, and print the tables; with ``--write`` keep them in a page, with ``--picture`` draw the first."""
    parser = options(__doc__, "serving profile", images=True)
    parser.add_argument("--picture", type=Path, help="a PNG or SVG file")
    arguments = parser.parse_args()
    scripts = str(Path(sys.executable).parent)
    sampler = shutil.which("py-spy", path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))
    if sampler is None:
        parser.error("needs py-spy: pip install py-spy")
    profiles = profile(arguments.data, sampler)
    publish(report(profiles), "serving profile", arguments.write)
    if arguments.picture is not None:
        draw(profiles, arguments.picture)


if __name__ == "__main__":
    main()
