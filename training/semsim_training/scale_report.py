"""The cost of very many pairs, by the slope of smaller runs of ``semsim score-table``.

    python -m semsim_training.scale_report datasets/cifar10 [--pairs 10000 100000] [--write docs/scale.md]

Each number of pairs is scored in a process of its own, from Parquet that holds the pairs of a reconstruction set many
times. CPU time is counted and not the time on the wall, since it says the same on a busy machine.
"""

import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from semsim.artifact import Artifact
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.table_run import PART_PAIRS
from semsim.images import decode, resize
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.client_images.png import encode_png
from semsim_training.machine import machine
from semsim_training.markdown import write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

DISTINCT = 512
"""Pairs of the set that are taken."""
LOOPED = 200
"""Pairs that the plain loop scores."""
LARGE, LARGE_PAIRS = 224, (2048, 8192)
"""The side in pixels to which pairs are enlarged, so that decoding takes longer than the network, and their runs."""
PAIRS = 10**8
WORKERS = (1, 16, 256, 1024)
WRITTEN = 50
"""Parts that are written to time the driver."""
_COUNTED = """
import os, sys
to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_stderr), 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
"""Runs a command and counts it with the processes that it waited for. A process that is started begins with the peak of
the one that starts it, so that this one is small."""


@dataclass(frozen=True, slots=True)
class TableCost:
    """One run of ``semsim score-table``."""

    pairs: int
    cpu_seconds: float
    """Seconds of all processes, user and system."""
    peak_bytes: int
    """The resident memory of the largest process at its most."""
    read_bytes: int
    part_bytes: int
    """The largest part."""


def write_pairs(pairs: Sequence[tuple[bytes, bytes]], count: int, path: Path) -> None:
    """Write a Parquet file of ``count`` encoded pairs in random order, in row groups of one part each."""
    rng = np.random.default_rng(0)
    names = ("original", "reconstruction")
    schema = pyarrow.schema({name: pyarrow.binary() for name in names})
    with pyarrow.parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, count, PART_PAIRS):
            places = rng.integers(len(pairs), size=min(PART_PAIRS, count - start))
            columns = [[pairs[place][side] for place in places] for side in (0, 1)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def measure(pairs: Sequence[tuple[bytes, bytes]], count: int, workers: int, folder: Path) -> TableCost:
    """Score ``count`` pairs in worker processes."""
    table, output = folder / f"{count}.parquet", folder / f"{count}-scored"
    write_pairs(pairs, count, table)
    arguments = (str(table), str(output), "--engine", "processes", "--workers", str(workers))
    command = (sys.executable, "-m", "semsim", "score-table", *arguments)
    done = subprocess.run([sys.executable, "-c", _COUNTED, *command], stdout=subprocess.PIPE, check=True)  # noqa: S603
    cpu_seconds, kibibytes, code = done.stdout.split()
    if int(code):  # pairs that were not scored cost too little
        raise subprocess.CalledProcessError(int(code), command)
    return TableCost(
        count,
        float(cpu_seconds),
        int(kibibytes) * 1024,
        table.stat().st_size,
        max(path.stat().st_size for path in output.glob("part-*.parquet")),
    )


def loop_seconds(pairs: Sequence[tuple[bytes, bytes]]) -> float:
    """The CPU seconds a pair of a plain loop, one call a pair, on one thread."""
    settings = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
    scorer = Scorer(providers=settings)
    scorer.score(*pairs[0])
    start = time.process_time()
    for place in range(LOOPED):
        scorer.score(*pairs[place % len(pairs)])
    return (time.process_time() - start) / LOOPED


def decoding_seconds(pairs: Sequence[tuple[bytes, bytes]]) -> float:
    """The CPU seconds in which both images of a pair are decoded."""
    start = time.process_time()
    for place in range(LOOPED):
        for file in pairs[place % len(pairs)]:
            decode(file)
    return (time.process_time() - start) / LOOPED


def driver_seconds(part_bytes: int, folder: Path) -> float:
    """The seconds in which the driver writes a part of this size to a local disk."""
    output, data = Location.of(str(folder / "driver")), os.urandom(part_bytes)
    output.create_folder()
    start = time.perf_counter()
    for number in range(WRITTEN):
        (output / f"{number}.parquet").write(data)
    return (time.perf_counter() - start) / WRITTEN


def slope_of(costs: Sequence[TableCost]) -> float:
    """The CPU seconds a pair, between the smallest and the largest run."""
    return (costs[-1].cpu_seconds - costs[0].cpu_seconds) / (costs[-1].pairs - costs[0].pairs)


def cluster(costs: Sequence[TableCost], driver: float, distinct: int) -> str:
    """The cost of 10^8 pairs as Markdown; ``distinct`` is the number of pairs that were repeated."""
    last = costs[-1]
    # Equal rows take hardly any room.
    row_bytes = last.part_bytes / min(PART_PAIRS, last.pairs, distinct)
    return "\n".join(_cluster(slope_of(costs), last.read_bytes / last.pairs, row_bytes, driver))


def measured(costs: Sequence[TableCost], pairs: Sequence[tuple[bytes, bytes]], heading: str) -> str:
    """The runs as Markdown, beside a plain loop over the same pairs."""
    return "\n".join(_measured(costs, loop_seconds(pairs), decoding_seconds(pairs), heading))


def _measured(costs: Sequence[TableCost], loop: float, decoding: float, heading: str) -> Iterator[str]:
    slope = slope_of(costs)
    begin = max(0.0, costs[0].cpu_seconds - slope * costs[0].pairs)
    yield heading
    yield ""
    yield "| pairs | CPU ms a pair | largest process, MiB | read, B a pair |"
    yield "|---|---|---|---|"
    for cost in costs:
        yield (
            f"| {cost.pairs} | {1000 * cost.cpu_seconds / cost.pairs:.2f} | {cost.peak_bytes / 2**20:.0f} | "
            f"{cost.read_bytes / cost.pairs:.0f} |"
        )
    yield ""
    yield (
        f"The slope between the smallest and the largest run is **{1000 * slope:.2f} ms** of one core a pair, and a "
        f"run begins with {begin:.0f} s of CPU. A plain loop of `Scorer.score` over {LOOPED} of the pairs, in the same "
        f"run, takes {1000 * loop:.2f} ms: **{loop / slope:.1f}** times as much. The decoding of a pair alone takes "
        f"{1000 * decoding:.2f} ms."
    )


def _cluster(slope: float, read: float, row_bytes: float, driver: float) -> Iterator[str]:
    yield (
        f"By the slope of the first table 10^8 pairs take **{PAIRS * slope / 3600:.0f} core hours**. They are "
        f"{PAIRS * read / 1e9:.0f} GB to read, and at most {PAIRS * row_bytes / 1e9:.0f} GB of rows in "
        f"{-(-PAIRS // PART_PAIRS)} parts."
    )
    yield ""
    yield "| workers of one core | hours for 10^8 pairs | read by all, MB/s |"
    yield "|---|---|---|"
    for count in WORKERS:
        yield f"| {count} | {PAIRS * slope / 3600 / count:.2f} | {count * read / slope / 1e6:.0f} |"
    yield ""
    yield (
        f"The process that was called writes a part to this disk in {1000 * driver:.2f} ms, beside "
        f"{PART_PAIRS * slope:.0f} s of a worker's time. The scheduling of a large cluster and the speed of a store "
        "were not measured: where a store gives less than the last column says, workers wait."
    )


def _enlarged(file: bytes) -> bytes:
    return encode_png(resize(decode(file), LARGE, LARGE))


def main() -> None:
    """Measure, print the figures, and keep them in a page where one is given."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path, help="a finished reconstruction set whose originals are there")
    parser.add_argument("--pairs", type=int, nargs="+", default=[10**4, 10**5], help="sizes, at least two")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- scale --> marks, to keep the figures in")
    arguments = parser.parse_args()
    made = ReconstructionSet.read(arguments.set)
    rows = [row for row in made.rows if row.done][:: max(1, len(made.rows) // DISTINCT)]
    pairs = [(made.original_png(row), made.reconstruction_png(row)) for row in rows]
    enlarged = [(_enlarged(original), _enlarged(reconstruction)) for original, reconstruction in pairs]
    with tempfile.TemporaryDirectory(prefix="semsim-scale-") as scratch:
        costs = [measure(pairs, count, arguments.workers, Path(scratch)) for count in sorted(arguments.pairs)]
        large = [measure(enlarged, count, arguments.workers, Path(scratch)) for count in LARGE_PAIRS]
        driver = driver_seconds(max(cost.part_bytes for cost in costs), Path(scratch))
    manifest = Artifact.load().manifest
    heading = (
        f"{len(pairs)} pairs of {made.name}, again and again, as PNG in Parquet; {arguments.workers} worker processes "
        f"of one thread; {manifest.name} {manifest.version} on the CPU. Machine: {machine()}."
    )
    text = "\n\n".join(
        (
            measured(costs, pairs, heading),
            measured(large, enlarged, f"The same pairs enlarged to {LARGE} pixels:"),
            cluster(costs, driver, len(pairs)),
        )
    )
    sys.stdout.write(text + "\n")
    if arguments.write is not None:
        write_between(arguments.write, "scale", text)


if __name__ == "__main__":
    main()
