"""Gradient inversion of many clients at once against a plain one-image loop.

    python -m benchmarks.attacks [--only NAME] [--write FILE]

The loop is how the reference code works: one image, PyTorch's own double backward. Both compute the same objective and
image gradient in the same process, in turn, on one thread of a CPU; the time is that of the processor, so that other
processes count little. `benchmarks.attacks_on_gpu` measures a GPU.
"""

import time
from statistics import median

import torch

from benchmarks.attack_cases import CASES, AttackCase, plain_loop, processor_seconds
from benchmarks.harness.reports import options, publish
from semsim.memory import keep_freed_memory
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.presets import preset
from semsim_training.machine import machine
from semsim_training.markdown import records_table

_SECONDS, _MOST, _LEAST = 6.0, 41, 5
_CPU = torch.device("cpu")


def main() -> None:
    """Measure, and print the table; with ``--write`` keep it in a page."""
    parser = options(__doc__, "attack speed")
    parser.add_argument("--only", default="", help="measure the victims whose name has this in it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # for both sides
    cases = [case for case in CASES if arguments.only in case.name]
    rows = [_row(case, clients) for case in cases for clients in case.clients]
    text = (
        "Untrained victims, objective and image gradient of Inverting Gradients; both sides in turn, processor time, "
        f"medians of {_LEAST} to {_MOST} runs, the ratio run by run (5% to 95% of the runs); images an hour: 1000 "
        f"iterations.\n\nMachine: {machine()}; one thread, torch {torch.__version__}.\n\n{records_table(rows)}"
    )
    publish(text, "attack speed", arguments.write)


def _row(case: AttackCase, clients: int) -> dict[str, object]:
    observations = case.observations(clients)
    evaluation = Evaluation(preset("inversed"), observations, _CPU, torch.float32)
    x = case.candidates(clients, _CPU)
    labels = torch.tensor([observation.labels for observation in observations])
    loop = plain_loop(observations[0], _CPU)
    ours, plain = evaluation(x, labels, evaluation.targets).by_images[0], loop(x[0], labels[0])
    signs = float((ours.sign() == plain.sign()).float().mean())
    difference = float((ours - plain).norm() / plain.norm())
    times: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(times) < _LEAST or (len(times) < _MOST and time.perf_counter() - start < _SECONDS):
        single = processor_seconds(lambda: loop(x[0], labels[0]))
        together = processor_seconds(lambda: evaluation(x, labels, evaluation.targets)) / clients
        times.append((single * 1e3, together * 1e3))
    alone, shared = (median(column) for column in zip(*times, strict=True))
    ratios = sorted(single / together for single, together in times)
    edge = len(ratios) // 20
    return {
        "victim": f"{case.name}, {case.size} px",
        "clients at once": clients,
        "path": evaluation.path,
        "loop, ms": f"{alone:.2f}",
        "at once, ms an image": f"{shared:.2f}",
        "ratio": f"**{median(ratios):.2f}** ({ratios[edge]:.2f} to {ratios[-1 - edge]:.2f})",
        "images an hour": f"{3600 / shared:.0f}",
        "equal signs": f"{signs:.4%}",
        "relative difference": f"{difference:.1e}",
    }


if __name__ == "__main__":
    main()
