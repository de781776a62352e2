"""An overload: three times the load that the service can bear, from clients that come again when they are told to.

    python -m benchmarks.endurance.overload --seconds 40 --write docs/endurance.md

Capacity is what a few clients get who always have a request open, before and after. In between clients arrive at three
times that rate, at random moments, whether the service keeps up or not, and each refused one comes again after
Retry-After. Several times over for each form: a machine that others use, too, changes its speed within minutes, and
what counts is the mean.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import mean

from benchmarks.endurance.load.metrics import scrape
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import HTTP_FORMS, Form, Size, ask, expected_rows
from benchmarks.endurance.load.running import Running, ServiceFailed, running
from benchmarks.endurance.overload_clients import GRPCPool, HTTPPool, Prepared, Record, arrive, keep_busy, prepare
from semsim.providers import Provider, ProviderSettings
from semsim.scorer import Scorer

QUEUE_PAIRS, QUEUE_BYTES = 1024, 256 * 2**20
"""The service's default limits."""
FORMS = (Form.JSON, Form.OCTETS, Form.BATCH)
GOAL = 0.85
_TIMES = 3.0
_WATCH_SECONDS = 2.0
"""Between two looks at the queue's gauges: each costs the service milliseconds."""
_WARM_SHARE = 0.25
"""Of an overload, not counted: the queue fills meanwhile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how often and how large."""

    rounds: int = 3
    """Overloads of each form."""
    seconds: float = 40.0
    search_seconds: float = 4.0
    clients: tuple[int, ...] = (2, 4, 8, 16)
    """Of which the number is looked for that gets the most."""
    capacity_seconds: float = 10.0
    patience: float = 15.0
    size: Size = field(default_factory=lambda: Size(pairs=8, side=32))
    questions: int = 320
    """Distinct ones; more than fit the queue, so that no two equal images are waiting at once."""
    queue_pairs: int = QUEUE_PAIRS
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Capacity:
    """What clients get who always have a request open."""

    rate: float
    """Pairs a second."""
    cpu: float
    """Seconds of the service's processors a pair."""
    record: Record


@dataclass
class Measured:
    """One overload of one form."""

    form: Form
    clients: int
    """Those with which capacity is measured."""
    search: Sequence[Capacity]
    """What each number of clients got, once for all overloads of the form."""
    capacities: list[Capacity]
    """Before the overload, and after it; what is after one is before the next."""
    record: Record = field(default_factory=Record)
    began: float = 0.0
    """Of what is counted, ``time.monotonic``."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of the service's processors meanwhile."""
    queue_pairs: list[float] = field(default_factory=list)
    queue_bytes: list[float] = field(default_factory=list)
    pairs: int = 0
    """Pairs a question."""

    @property
    def capacity(self) -> float:
        """Pairs a second, the mean of before and after: the best of many would be that of a fast moment."""
        return mean(one.rate for one in self.capacities)

    @property
    def capacity_cpu(self) -> float:
        """Seconds of the service's processors a pair, at capacity."""
        return mean(one.cpu for one in self.capacities)

    @property
    def busy(self) -> list[Record]:
        """All that was asked at capacity."""
        return [one.record for one in (*self.search, *self.capacities)]

    @property
    def goodput(self) -> float:
        """Pairs a second with right answers."""
        return len([one for one in self.record.answered if self.counts(one.ended)]) * self.pairs / self.seconds

    @property
    def ratio(self) -> float:
        """Goodput over capacity."""
        return self.goodput / self.capacity

    def counts(self, moment: float) -> bool:
        """Whether a moment is in what is counted."""
        return self.began <= moment < self.began + self.seconds


def run(service: Running, scorer: Scorer, plan: Plan, forms: Sequence[Form] = FORMS) -> list[Measured]:
    """Measure each form, one after another, each in several overloads."""
    mark = Mark.of(plan.seed)
    return [
        one for form in forms for one in asyncio.run(_measure(service, plan, _work(scorer, plan, form, mark), form))
    ]


def _work(scorer: Scorer, plan: Plan, form: Form, mark: Mark) -> list[Prepared]:
    first = plan.seed * 1_000_000
    questions = (ask(first + index, form, mark, plan.size) for index in range(plan.questions))
    return [prepare(question, rows, scorer.manifest.name) for question, rows in expected_rows(questions, scorer)]


async def _measure(service: Running, plan: Plan, work: list[Prepared], form: Form) -> list[Measured]:
    pool = HTTPPool(service) if form in HTTP_FORMS else GRPCPool(service)

    async def capacity(clients: int, seconds: float) -> Capacity:
        cpu, begin = service.cpu_seconds(), time.monotonic()
        record = await keep_busy(pool.ask, work, clients, seconds)
        answered = len(record.answered) * plan.size.pairs
        if not answered:
            raise ServiceFailed(f"expected right answers to {form}, got none: {[*record.wrong, *record.failed][:1]}")
        return Capacity(answered / (time.monotonic() - begin), (service.cpu_seconds() - cpu) / answered, record)

    search = [await capacity(clients, plan.search_seconds) for clients in plan.clients]
    _, clients = max((one.rate, clients) for one, clients in zip(search, plan.clients, strict=True))
    rounds: list[Measured] = []
    before = await capacity(clients, plan.capacity_seconds)
    for number in range(plan.rounds):
        measured = Measured(form, clients, search, [before], pairs=plan.size.pairs)
        watches = asyncio.gather(_watch(service, measured, plan.seconds), _count_cpu(service, measured, plan.seconds))
        rate = _TIMES * before.rate / plan.size.pairs
        measured.record = await arrive(pool.ask, work, rate, plan.seconds, plan.patience, Random(plan.seed + number))
        await watches
        before = await capacity(clients, plan.capacity_seconds)
        measured.capacities.append(before)
        rounds.append(measured)
    await pool.close()
    return rounds


async def _watch(service: Running, measured: Measured, seconds: float) -> None:
    """Read the queue's gauges all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        counted = await asyncio.to_thread(scrape, service.http_port)
        measured.queue_pairs.append(counted.queue_pairs)
        measured.queue_bytes.append(counted.queue_bytes)
        await asyncio.sleep(_WATCH_SECONDS)


async def _count_cpu(service: Running, measured: Measured, seconds: float) -> None:
    """Read the processor time twice: what is counted is what came between the two."""
    await asyncio.sleep(seconds * _WARM_SHARE)
    measured.began, before = time.monotonic(), service.cpu_seconds()
    await asyncio.sleep(seconds * (1 - _WARM_SHARE))
    measured.seconds, measured.cpu = time.monotonic() - measured.began, service.cpu_seconds() - before


def cores_apart() -> tuple[set[int], set[int]] | None:
    """A core for the service and one for its clients, so that neither slows the other; None on a single core."""
    cores = sorted(os.sched_getaffinity(0))
    return ({cores[0]}, set(cores[1:])) if len(cores) > 1 else None


def main() -> None:
    """Run, print the report; with ``--write`` also keep it in a page between its markers."""
    from benchmarks.endurance.overload_report import faults, report
    from semsim_training.markdown import write_between

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="overloads of each form")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each overload")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds after which a refused client gives up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, help="an artifact; the bundled one without")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- overload --> markers")
    arguments = parser.parse_args()
    plan = Plan(arguments.rounds, arguments.seconds, patience=arguments.patience, seed=arguments.seed)
    scorer = Scorer(arguments.model, providers=ProviderSettings(order=(Provider.CPU,)))
    apart = cores_apart()
    settings: dict[str, str] = {}
    if apart:
        os.sched_setaffinity(0, apart[1])
        # ONNX Runtime binds the threads of its pool to cores of its own choice: with one thread there is no pool.
        settings["SEMSIM_PROVIDERS__CPU__THREADS"] = "1"
    with (
        tempfile.TemporaryDirectory() as scratch,
        running(
            Path(scratch) / "service", model=arguments.model, settings=settings, cores=apart and apart[0]
        ) as service,
    ):
        measured = run(service, scorer, plan)
    text = report(measured, plan, apart=apart is not None)
    sys.stdout.write(text)
    if arguments.write:
        write_between(arguments.write, "overload", text)
    sys.exit(1 if faults(measured, plan) else 0)


if __name__ == "__main__":
    main()
