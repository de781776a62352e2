"""The goals of scale and of the last milliseconds, each beside its peer in the same run: reached, or not.

    python -m benchmarks.goals [--quick] [--write FILE]

Seven minutes on two cores; ``--quick`` shows in a minute that everything runs, and its figures mean little. The goals
under load are those of `benchmarks.serving`; those on a card, of `benchmarks.scoring.on_gpu`.
"""

import io
import itertools
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from statistics import median
from time import monotonic, process_time
from timeit import timeit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from benchmarks.harness.processes import awake, pause, process
from benchmarks.harness.questions import Form
from benchmarks.harness.reports import model_line, options, publish
from benchmarks.harness.server import running, semsim_serve
from benchmarks.overload.report import faults, ratios
from benchmarks.overload.result import OverloadPlan
from benchmarks.overload.run import run as overload
from benchmarks.overload.run import service_apart
from benchmarks.serving.cells import ONE_THREAD, Cell, ServingPlan
from benchmarks.serving.contenders import Contender
from benchmarks.serving.load import measure as measure_load
from benchmarks.serving.measure import prepared
from benchmarks.serving.pairs import file_of, make_pairs, real_images
from benchmarks.serving.table import Goal, goals_table
from semsim.artifact import Artifact
from semsim.bulk.assignment import assign
from semsim.images import RGBImage, decode
from semsim.scorer import Scorer
from semsim_export.parity_pairs import degraded_pairs
from semsim_export.precision_report import LEAST_GAIN, LEAST_SPEARMAN, compare_precisions
from semsim_training.machine import machine
from semsim_training.scale_report import loop_seconds, measure


def bulk(data: Path, quick: bool) -> Iterator[Goal]:
    """The cost of a pair in a table, by the slope of two runs, beside a plain loop."""
    pairs = make_pairs(data, 32, 256).encoded()
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        small, large = (measure(pairs, n, 2, Path(folder)) for n in ((512, 1536) if quick else (4096, 16384)))
    slope = (large.cpu_seconds - small.cpu_seconds) / (large.pairs - small.pairs)
    yield _goal("score-table: CPU of a pair, of a plain loop's", 1.0, slope / loop_seconds(pairs), least=False)
    growth = large.peak_bytes / small.peak_bytes
    yield _goal("score-table: memory of the largest process, of four times fewer pairs'", 1.2, growth, least=False)


def decoding(data: Path, quick: bool) -> Iterator[Goal]:
    """PNG and JPEG of 224 pixels beside Pillow, which gives the same pixels."""
    images = real_images(data, 224, 16)

    def pillow(file: bytes) -> RGBImage:
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))

    for kind in ("PNG", "JPEG"):
        files = [file_of(image, kind) for image in images]
        if not all(np.array_equal(decode(file), pillow(file)) for file in files):
            raise RuntimeError(f"expected the pixels of {kind} that Pillow decodes, got others")
        times = [[_seconds(read, files) for read in (pillow, decode)] for _ in range(3 if quick else 31)]
        yield _goal(f"{kind}, 224 px: as fast as Pillow, times", 1.5, median(theirs / ours for theirs, ours in times))


def _seconds(read: Callable[[bytes], RGBImage], files: list[bytes]) -> float:
    return timeit(lambda: [read(file) for file in files], timer=process_time, number=1)


def precisions(data: Path, quick: bool) -> Iterator[Goal]:
    """Lower precisions on the CPU beside the bundled graph: their speed, where they rank alike."""
    artifact = Artifact.load()
    images = real_images(data, artifact.manifest.input.height, 48)
    pairs, calibrating = degraded_pairs(images[:32], 0), degraded_pairs(images[32:], 1)
    figures, _ = compare_precisions(artifact, pairs, calibrating, 1 if quick else 31)
    alike = (one for one in figures if one.spearman >= LEAST_SPEARMAN)
    best = min(alike, key=lambda one: float(np.median(one.pair_ratios)))
    gain = 1 / max(float(np.median(ratios)) for ratios in (best.pair_ratios, best.batch_ratios))
    yield _goal("the best lower precision: as fast as the bundled graph, times", LEAST_GAIN, gain, best.precision.value)


def network(data: Path, quick: bool) -> Iterator[Goal]:
    """The bundled model's network beside the whole EfficientNet-Lite0 at 64 pixels, which 0.1 was."""
    scorers = [Scorer(path, providers=ONE_THREAD) for path in (None, Path("models/imagenet-baseline"))]
    batches = [np.zeros((16, *[one.manifest.input.height] * 2, 3), dtype=np.uint8) for one in scorers]  # squares

    def seconds(scorer: Scorer, images: NDArray[np.uint8]) -> float:
        return timeit(lambda: scorer.embed_prepared(images), timer=process_time, number=1)

    ours = median(truediv(*map(seconds, scorers, batches)) for _ in range(32))
    yield _goal("the network: CPU of a pair, of imagenet-baseline's", 0.25, ours, least=False)


def overloads(data: Path, quick: bool) -> Iterator[Goal]:
    """Goodput at three times the capacity, and the processor time of a refusal over gRPC."""
    plan = OverloadPlan(1, 4.0, 0.5, (8,), 2.0) if quick else OverloadPlan(2, 25.0, 3.0, (4, 8, 16), 8.0)
    with service_apart(Namespace(model=None, keep=None)) as (server, scorer, _):
        measured = overload(server, scorer, plan, (Form.BATCH,) if quick else (Form.JSON, Form.OCTETS, Form.BATCH))
    shares = {form.value: ratio for form, ratio in ratios(measured).items()}
    worst = min(shares, key=shares.__getitem__)
    yield _goal("overload: goodput, of capacity", 0.92, shares[worst], worst)
    refusal = median(one.refusal_cpu for one in measured if one.form is Form.BATCH)
    yield _goal("overload: CPU of a refusal over gRPC, ms", 0.3, refusal * 1e3, least=False)
    yield _goal("overload: faults, as `benchmarks.overload` tells them", 0, len(faults(measured, plan)), least=False)


_ASSIGN = """
import time, numpy
from semsim.bulk.assignment import assign
left, right = numpy.load("left.npy"), numpy.load("right.npy")
before = time.process_time()
excess = assign(left, right).excess
seconds = time.process_time() - before
status = dict(line.split(":", 1) for line in open("/proc/self/status"))  # rusage counts the parent's memory, too
print(seconds, int(status["VmHWM"].split()[0]) / 2**10, excess)
"""


def matching(data: Path, quick: bool) -> Iterator[Goal]:
    """The pairing of degraded copies with their originals by embeddings, in a process of its own."""
    pictures = real_images(data, 32, 250 if quick else 2500)
    images = np.concatenate([pictures, pictures[:, ::-1], pictures[:, :, ::-1], pictures[:, ::-1, ::-1]])
    scorer = Scorer(providers=ONE_THREAD)
    sides = [scorer.embed(list(some)) for some in degraded_pairs(images, 0)]
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        for name, side in zip(("left", "right"), sides, strict=True):
            np.save(Path(folder) / f"{name}.npy", side)
        done = subprocess.run([sys.executable, "-c", _ASSIGN], cwd=folder, check=True, capture_output=True, text=True)
    seconds, mib, excess = map(float, done.stdout.split())
    whole = cdist(*(few := [side[:1000] for side in sides]))
    total = sum(whole[pair] for pair in assign(*few).pairs) / whole[linear_sum_assignment(whole)].sum()
    name = f"the assignment alone of --match assignment, {len(images)} x {len(images)}"
    yield _goal(f"{name}: CPU, s", 60.0, seconds, least=False)
    yield _goal(f"{name}: peak memory, MiB", 954, mib, least=False)
    yield _goal(f"{name}: the share by which another pairing may be shorter", 0.0, excess, least=False)
    yield _goal("--match assignment, 1000 x 1000: total distance, of the full answer's", 1.000001, total, least=False)


def threads(data: Path, quick: bool) -> Iterator[Goal]:
    """The default number of the network's threads beside each other number: one caller, and many."""
    cells = Cell(32, 1, 1), Cell(32, 1, 32)
    plan = ServingPlan(cells, 1 if quick else 5, 1.5, 0.5, 0.0, 256)
    cores = len(os.sched_getaffinity(0))
    default, *others = map(str, sorted({0, 1} if quick else {0, 1, cores // 2, cores - 1, cores}))
    servers: dict[str, Contender] = {}
    speeds: dict[tuple[str, Cell], list[float]] = {}
    with prepared(plan, data) as folder, process() as load, ExitStack() as stack:
        for number in (default, *others):
            settings = {"SEMSIM_PROVIDERS__CPU__THREADS": number}
            server = stack.enter_context(running(semsim_serve(), folder / number, settings))
            pause(server.process.pid)
            servers[number] = Contender("SemSim", Form.OCTETS, "/score", server.port, server.process.pid)
        for _, cell, (number, one) in itertools.product(range(plan.rounds), cells, servers.items()):
            with awake(one.pid):
                speed = load(measure_load, folder, one, cell, plan).pairs_per_second
            speeds.setdefault((number, cell), []).append(speed)
    beside = {
        f"{cell}, {number} threads": median(map(truediv, speeds[default, cell], speeds[number, cell]))
        for cell, number in itertools.product(cells, others)
    }
    worst = min(beside, key=beside.__getitem__)
    yield _goal("the default number of threads: throughput, of another number's", 0.8, beside[worst], worst)


PARTS = {part.__name__: part for part in (network, decoding, precisions, bulk, matching, threads, overloads)}


def _goal(text: str, bound: float, value: float, at: str = "", *, least: bool = True) -> Goal:
    return Goal(f"{text}: at {'least' if least else 'most'} {bound:.7g}", bound, {at: value}, least)


def main() -> None:
    """Measure each part, print its goals at once, and all of them at the end; with ``--write`` keep them in a page."""
    parser = options(__doc__, "goals", images=True)
    parser.add_argument("--quick", action="store_true", help="little of each")
    parser.add_argument("--only", nargs="+", default=[*PARTS], choices=[*PARTS], help="these parts")
    arguments = parser.parse_args()
    begun = monotonic()
    reached: list[Goal] = []
    for name in arguments.only:
        sys.stderr.write(f"{name}\n")
        for goal in PARTS[name](arguments.data, arguments.quick):
            sys.stderr.write(f"  {goal.text}: {goal.values[goal.worst]:.2f}\n")
            reached.append(goal)
    left_out = ", ".join(sorted({*PARTS} - {*arguments.only})) or "nothing"
    where = f"Machine: {machine()}. Not measured: {left_out}. {(monotonic() - begun) / 60:.0f} minutes."
    publish(f"{model_line()}{where}\n\n{goals_table(reached)}\n", "goals", arguments.write)


if __name__ == "__main__":
    main()
