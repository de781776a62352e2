"""Where the service's CPU goes, and where a request's time goes.

    python -m benchmarks.serving.breakdown [--write FILE] [--picture FILE]

py-spy samples the worker under load. Shares of the samples, times the CPU that the worker takes a pair, are the
figures: what sampling itself costs is in them, alike for all.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import chart, stages
from benchmarks.serving.cells import Cell, Plan
from benchmarks.serving.contenders import OURS, Contender, running
from benchmarks.serving.figures import Run
from benchmarks.serving.measure import job_of
from benchmarks.serving.pairs import file_of, make_pairs
from benchmarks.serving.parts import Part, shares
from benchmarks.serving.processes import Worker, awake, thread_seconds, tree
from benchmarks.serving.table import head, row
from semsim_training.machine import machine
from semsim_training.markdown import write_between

SIDE = 64
_CELLS = (Cell(SIDE, 1, 16), Cell(SIDE, 8, 16))
PLAN = Plan(_CELLS, rounds=1, seconds=6.0, warm_up=0.5, loop_seconds=0.0, pool=1024)
_RATE = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """One form under one load."""

    contender: Contender
    cell: Cell
    cpu: dict[Part, float]
    """Seconds of CPU a pair, by what they are spent on."""
    latency: stages.Stages
    run: Run

    @property
    def title(self) -> str:
        """For a table."""
        return f"{self.contender.title}, {self.cell.pairs} a request"


def profile(data: Path, sampler: str) -> list[Profile]:
    """All forms, under each load."""
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        scratch = Path(folder)
        make_pairs(data, SIDE, PLAN.pool).save(file_of(scratch, SIDE))
        load = Worker("benchmarks.serving.load", folder)
        try:
            with running((OURS,), scratch) as contenders, awake(contenders[0].pid):
                return [
                    _profile(contender, cell, load, sampler, scratch / "stacks")
                    for contender in contenders
                    for cell in PLAN.cells
                ]
        finally:
            load.close()


def _profile(contender: Contender, cell: Cell, load: Worker, sampler: str, stacks: Path) -> Profile:
    sys.stderr.write(f"{contender.title}: {cell}\n")
    job: dict[str, Any] = job_of(contender, cell, PLAN)
    load.ask(job | {"seconds": 0.5})
    # The one that scores, not the one that watches over it.
    worker = max(tree(contender.pid), key=lambda process: process.memory_info().rss)
    before = stages.read(contender)
    arguments = ["record", "--pid", str(worker.pid), "--duration", f"{PLAN.seconds:.0f}", "--rate", str(_RATE)]
    arguments += ["--format", "raw", "--threads", "--full-filenames", "--output", str(stacks)]
    sampling = subprocess.Popen([sampler, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threads = thread_seconds(worker)
    run = Run(**load.ask(job | {"seconds": PLAN.seconds + 0.5}))
    threads = {thread: seconds - threads.get(thread, 0.0) for thread, seconds in thread_seconds(worker).items()}
    if sampling.wait() != 0:
        raise RuntimeError("expected py-spy to sample the service, which needs the right to trace it")
    found = shares(stacks.read_text().splitlines(), threads)
    cpu = {part: share * run.cpu_per_pair for part, share in found.items()}
    return Profile(contender, cell, cpu, stages.read(contender) - before, run)


def report(profiles: list[Profile]) -> str:
    """Both tables."""
    titles = [profile.title for profile in profiles]
    lines = [
        f"{SIDE} px, {_CELLS[0].clients} clients; microseconds of CPU a pair, sampled {_RATE} times a second "
        "(which slows the service down by a little).",
        "",
        f"Machine: {machine()}.",
        "",
        *head(["", *titles]),
        *(row([part.value, *(f"{p.cpu.get(part, 0) * 1e6:.0f}" for p in profiles)]) for part in Part),
        row(["all", *(f"**{p.run.cpu_per_pair * 1e6:.0f}**" for p in profiles)]),
        "",
        "Where a request's time goes, in milliseconds, as the service's own metrics tell:",
        "",
        *head(["", *titles]),
        *(
            row([name, *(f"{getattr(p.latency, field) * 1e3:.1f}" for p in profiles)])
            for name, field in stages.NAMES.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables; with ``--write`` also keep them in a page, with ``--picture`` draw the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SEMSIM_DATA"), help="real images (SEMSIM_DATA)")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- serving profile --> markers")
    parser.add_argument("--picture", type=Path, help="a PNG or SVG file")
    arguments = parser.parse_args()
    if arguments.data is None or not Path(arguments.data).is_dir():
        parser.error("needs real images: set SEMSIM_DATA")
    here = str(Path(sys.executable).parent)
    sampler = shutil.which("py-spy", path=os.pathsep.join([here, os.environ.get("PATH", "")]))
    if sampler is None:
        parser.error("needs py-spy: pip install py-spy")
    profiles = profile(Path(arguments.data), sampler)
    text = report(profiles)
    sys.stdout.write(text)
    if arguments.write is not None:
        write_between(arguments.write, "serving profile", text)
    if arguments.picture is not None:
        chart.draw([(p.title, p.cpu) for p in profiles], arguments.picture)


if __name__ == "__main__":
    main()
