"""The bundled model and the service on a GPU, in the minutes that are given.

    python -m benchmarks.scoring.on_gpu [--minutes 9] [--write docs/performance.md]

Each execution provider: its agreement with the CPU, and its speed at batches of 1 to 1024 images beside `session.run`
with bound inputs and outputs, with half precision and with CUDA graphs; then the service under load. Every step has its
share of the time, and its result is written at once, so that a run that is cut short keeps what it has. What was left
out is told. `--device cpu --minutes 2` rehearses it.

It needs `onnxruntime-gpu` of the card's CUDA in the place of `onnxruntime`, and perhaps TensorRT's wheels. Where no
package index is in reach, carry the wheels: `split -b 60M` them, join the slices there with `cat`, and install the
files with `pip install --no-deps`.
"""

import itertools
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import onnxruntime

from benchmarks.harness.processes import awake, process
from benchmarks.harness.reports import options, publish
from benchmarks.serving.cells import ONE_THREAD, Cell, ServingPlan
from benchmarks.serving.contenders import OURS, started
from benchmarks.serving.load import measure
from benchmarks.serving.pairs import make_pairs
from semsim.artifact import Artifact
from semsim.images import resize_batch
from semsim.providers import Provider
from semsim_export.provider_report import FIRST, LAST, MARK, ProviderRun, measure_step
from semsim_export.provider_sessions import KnownDistances
from semsim_training.machine import machine

SIDE = 32
_CELLS = (Cell(SIDE, 1, 1), Cell(SIDE, 1, 64), Cell(SIDE, 8, 64), Cell(SIDE, 64, 16))
PLAN = ServingPlan(_CELLS, rounds=1, seconds=3.0, warm_up=1.0, loop_seconds=0.0, pool=1024)


def measure_service(run: ProviderRun, folder: Path, provider: Provider, seconds: float) -> None:
    """Load the service on a provider, in single precision, so that its answers can be held against the CPU's."""
    end = time.monotonic() + seconds
    os.environ |= {"SEMSIM_PROVIDERS__ORDER": f'["{provider}"]', "SEMSIM_PROVIDERS__REQUIRED": provider.value}
    os.environ["SEMSIM_PROVIDERS__CUDA__TF32"] = "false"
    try:
        with process() as load, started((OURS,), folder) as contenders, awake(contenders[0].pid):
            for cell, one in itertools.product(PLAN.cells, contenders):
                if time.monotonic() > end:
                    run.notes.append(f"the service, {one.title}, {cell}: no time left")
                    continue
                done = load(measure, folder, one, cell, PLAN)
                figures = f"{done.pairs_per_second:,.0f} ({done.p50 * 1e3:.1f}, {done.p99 * 1e3:.1f})"
                run.served.setdefault(str(cell), {})[one.title] = figures
                run.keep(f"{one.title}, {cell}: {figures}")
    except Exception as error:  # noqa: BLE001  # the steps behind it must still run
        run.notes.append(f"the service: {type(error).__name__}: {str(error).strip()[-300:]}")


def main() -> None:
    """Measure step by step, and print the report; with ``--write`` keep it in a page after every step."""
    parser = options(__doc__, MARK, images=True)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--minutes", type=float, default=9.0)
    arguments = parser.parse_args()
    # A tenth is for starting and for what a step takes beyond its share.
    end = time.monotonic() + arguments.minutes * 54
    card = _card() if arguments.device == "cuda" else "no card: a rehearsal on the CPU"
    heading = (
        f"Images a second of the library, which copies images and embeddings (in brackets: of `session.run` with both "
        f"bound in the device's memory, over it; CUDA graphs: bound alone). {card}; {machine()}; ONNX Runtime "
        f"{onnxruntime.__version__}."
    )
    run = ProviderRun(heading, arguments.write)
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as scratch:
        folder = Path(scratch)
        pairs, size = make_pairs(arguments.data, SIDE, PLAN.pool), Artifact.load().manifest.input
        pairs.save(folder, SIDE)
        originals, reconstructions = (
            resize_batch(list(some), size.height, size.width, size.filter)
            for some in (pairs.originals, pairs.reconstructions)
        )
        known = KnownDistances(originals, reconstructions, pairs.distances)
        steps = [*FIRST, None, *LAST]
        weights = [1.0] * len(FIRST) + [2.0] * (1 + len(LAST))  # a start of the service and engines take their time
        for place, step in enumerate(steps):
            seconds = (end - time.monotonic()) * weights[place] / sum(weights[place:])
            if seconds < 1:
                run.notes.append(f"{'the service' if step is None else step.title}: no time left")
            elif step is None:
                measure_service(run, folder, Provider(arguments.device), seconds)
            else:
                if arguments.device == "cpu":
                    step = replace(step, settings=ONE_THREAD)
                measure_step(run, step, known, seconds)
            run.keep("")
    publish(run.text(), MARK, arguments.write)


def _card() -> str:
    import torch

    return torch.cuda.get_device_name()


if __name__ == "__main__":
    main()
