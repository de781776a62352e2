"""Gradient inversion of many clients at once on a GPU, against the plain one-image loop on the same card.

    python -m benchmarks.attacks_on_gpu [--device cuda] [--minutes 9] [--write docs/performance.md]

The report is clients times iterations a second for each network and batch, how many times the loop that is, and the
share of the card's speed in products of matrices, which is measured first. What does not fit into the minutes or into
the card's memory is left out, and the table says so. `--device cpu --minutes 1` rehearses it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.attack_cases import CASES, AttackCase, plain_loop
from benchmarks.harness.reports import options, publish
from semsim.memory import keep_freed_memory
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.presets import preset
from semsim_training.machine import machine
from semsim_training.markdown import records_table

_BATCHES = (1, 16, 64, 256)
_MOST_SECONDS = 3.0
"""The most that one measurement takes after its first two iterations."""
_NO_TIME, _NO_MEMORY = "no time left", "out of memory"


class FlopCounter(TorchDispatchMode):
    """Counts the floating-point operations of products and convolutions, by PyTorch's formulas.

    ``FlopCounterMode`` itself follows modules by hooks, which fail inside ``torch.autograd.grad``.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and count it."""
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


@dataclass(slots=True)
class Budget:
    """The time that is left, and how many victims and measurements share it."""

    device: torch.device
    end: float
    victims: int
    measurements: int = 1
    victim_end: float = 0.0
    longest: float = 0.0
    """The longest time that a victim took to be ready."""

    def next_victim(self) -> bool:
        """Give the next victim its share of the time; false where not even its preparation fits in."""
        left = self.end - time.perf_counter()
        self.victim_end = time.perf_counter() + left / self.victims
        self.victims, self.measurements = self.victims - 1, 1 + len(_BATCHES)
        return left > 1.5 * self.longest

    def rate(self, run: Callable[[], object], seconds_before: float = 0.0) -> float | None:
        """The iterations a second of ``run``; ``None`` where its share of the time is too short for three of them.

        ``seconds_before`` is what one iteration is expected to take.
        """
        share = (self.victim_end - time.perf_counter()) / max(self.measurements, 1)
        self.measurements -= 1
        if share <= 0 or 3 * seconds_before > share:
            return None
        first = self._seconds(run)
        if 3 * first > share:
            return None
        self._seconds(run)
        start, count = time.perf_counter(), 0
        while count < 3 or time.perf_counter() - start < min(share - 2 * first, _MOST_SECONDS):
            run()
            count += 1
            if count % 4 == 0 or first > 0.1:  # never far ahead of the card
                self._wait()
        self._wait()
        return count / (time.perf_counter() - start)

    def _seconds(self, run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    """Measure, and print the tables; with ``--write`` keep them in a page."""
    parser = options(__doc__, "attack speed on a GPU")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--minutes", type=float, default=9.0)
    arguments = parser.parse_args()
    started = time.perf_counter()
    keep_freed_memory()
    device = torch.device(arguments.device)
    # A tenth is for starting, for what a measurement takes beyond its share, and for writing.
    budget = Budget(device, started + arguments.minutes * 54, len(CASES))
    peak = _peak(budget)
    rows = []
    for case in CASES:
        rows.append(_row(case, budget, peak))
        print(rows[-1], flush=True)  # what is measured so far, should the machine be taken away
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{machine()}, {torch.get_num_threads()} threads"
    text = (
        "Clients times iterations a second, objective and image gradient of Inverting Gradients in float32, untrained "
        "victims; how many times the one-image loop on the same card; and the share of the card's speed in float32 "
        f"products of matrices ({peak / 1e12:.3g} TFLOP/s, measured), by the floating-point operations of the loop.\n\n"
        f"Machine: {name}; torch {torch.__version__}; {(time.perf_counter() - started) / 60:.1f} of "
        f"{arguments.minutes:g} minutes.\n\n{records_table(rows)}"
    )
    publish(text, "attack speed on a GPU", arguments.write)


def _row(case: AttackCase, budget: Budget, peak: float) -> dict[str, object]:
    row: dict[str, object] = {"victim": f"{case.name}, {case.size} px"}
    columns = [f"{batch} at once" for batch in _BATCHES]
    started = time.perf_counter()
    if not budget.next_victim():
        return row | dict.fromkeys(("path", "GFLOP an image", "loop", *columns), _NO_TIME)
    (observation,) = case.observations(1)
    x = case.candidates(max(_BATCHES), budget.device)
    labels = torch.tensor([observation.labels], device=budget.device)
    loop = plain_loop(observation, budget.device)
    with FlopCounter() as counter:
        loop(x[0], labels[0])
    alone = budget.rate(lambda: loop(x[0], labels[0]))
    row |= {"path": "", "GFLOP an image": f"{counter.total / 1e9:.3g}", "loop": f"{alone:.3g}" if alone else _NO_TIME}
    seconds = 0.0  # of an iteration on one image in the last batch
    for batch, column in zip(_BATCHES, columns, strict=True):
        if time.perf_counter() > budget.victim_end:
            row[column] = _NO_TIME
            continue
        try:
            # Restarts of one client are as many rows as clients, and their targets are made on the card.
            evaluation = Evaluation(replace(preset("inversed"), restarts=batch), [observation], budget.device, x.dtype)
            row["path"] = evaluation.path
            budget.longest = max(budget.longest, time.perf_counter() - started if batch == 1 else 0.0)
            rate = budget.rate(_iteration(evaluation, x[:batch], labels), seconds * batch)
        except torch.OutOfMemoryError:
            row[column] = _NO_MEMORY
            continue
        if rate is None:
            row[column] = _NO_TIME
            continue
        clients = rate * batch
        seconds = 1 / clients
        times = f"**{clients / alone:.1f}x**, " if alone else ""
        row[column] = f"{clients:.3g} ({times}{clients * counter.total / peak:.1%})"
    if budget.device.type == "cuda":
        torch.cuda.empty_cache()
    return row


def _iteration(evaluation: Evaluation, x: Tensor, labels: Tensor) -> Callable[[], object]:
    repeated = labels.repeat(len(x), 1)
    return lambda: evaluation(x, repeated, evaluation.targets)


def _peak(budget: Budget) -> float:
    """The floating-point operations a second of a large product of matrices."""
    side = 8192 if budget.device.type == "cuda" else 1024
    a = torch.randn(side, side, device=budget.device)
    budget.victim_end = time.perf_counter() + 2 * _MOST_SECONDS
    rate = budget.rate(lambda: a @ a)
    return 2.0 * side**3 * (rate or float("nan"))


if __name__ == "__main__":
    main()
