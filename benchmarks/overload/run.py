"""The overloads of each form, one after another, with capacity measured before and after each."""

import asyncio
import itertools
import os
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from benchmarks.harness.clients import Attempt, End, client_of
from benchmarks.harness.messages import request_of
from benchmarks.harness.metrics import scrape
from benchmarks.harness.questions import Form, Mark, Question, ask
from benchmarks.harness.reports import under_test
from benchmarks.harness.rows import Row, differences, expected_rows
from benchmarks.harness.server import Server, ServerFailed
from benchmarks.overload.result import Capacity, Overload, OverloadPlan, Record
from semsim.scorer import Scorer

FORMS = (Form.JSON, Form.OCTETS, Form.BATCH)
TIMES = 3.0
"""Arrivals, as a multiple of capacity."""
_CHANNELS = 4
WATCH_SECONDS = 2.0
"""Seconds between two looks at the queue's gauges: each costs the service milliseconds."""
_REST_SECONDS = 1.0
"""The service counts clients that are due by whole seconds."""
_WARM_SHARE = 0.25
"""The share of an overload that is not counted: the queue fills meanwhile."""
_JITTER = 0.2
"""A refused client waits for as long as it was told, and up to this share longer, so that not all come at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question, as bytes, and its answer: made beforehand, so that clients cost little."""

    question: Question
    request: bytes
    expected: list[Row]


Send = Callable[[bytes, Attempt], Awaitable[None]]


@contextmanager
def service_apart(arguments: Namespace) -> Iterator[tuple[Server, Scorer, bool]]:
    """The service on a core of its own and its clients on the others, if there are any: true where there are."""
    cores = os.sched_getaffinity(0)
    first, *others = sorted(cores)
    # ONNX Runtime binds the threads of its pool to cores of its own choice: with one thread there is no pool.
    settings = {"SEMSIM_PROVIDERS__CPU__THREADS": "1"} if others else {}
    os.sched_setaffinity(0, others or cores)
    try:
        with under_test(arguments, settings, {first}) as (server, scorer):
            yield server, scorer, bool(others)
    finally:
        os.sched_setaffinity(0, cores)


async def keep_busy(send: Send, work: Sequence[Prepared], clients: int, seconds: float) -> Record:
    """A closed loop: each client asks again as soon as it is answered."""
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            await attempted(record, send, next(turn))

    await asyncio.gather(*(client() for _ in range(clients)))
    return record


async def arrive(send: Send, work: Sequence[Prepared], rate: float, plan: OverloadPlan, rng: Random) -> Record:
    """An open loop: ``rate`` clients a second, each with one question, which comes again when it is told to.

    A client gives up where coming again would be later than the plan's patience after it arrived.
    """
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + plan.seconds

    async def client(prepared: Prepared) -> None:
        arrived = time.monotonic()
        while True:
            attempt = await attempted(record, send, prepared)
            if attempt.code != "overloaded" or attempt.retry_after is None:
                return
            again = attempt.ended + attempt.retry_after * (1 + _JITTER * rng.random())
            if again > arrived + plan.patience:
                record.gave_up += 1
                return
            if again > end:
                record.cut_short += 1
                return
            await asyncio.sleep(again - time.monotonic())
            record.returned += 1

    at = time.monotonic()
    async with asyncio.TaskGroup() as clients:
        while (at := at + rng.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            record.arrivals += 1
            clients.create_task(client(next(turn)))
    return record


async def attempted(record: Record, send: Send, prepared: Prepared) -> Attempt:
    """Ask a question once, and note what came of it."""
    attempt = Attempt(prepared.question.seed, prepared.question.form)
    await send(prepared.request, attempt)
    wrong = [attempt.wrong] if attempt.wrong else []
    if attempt.end is End.ANSWERED:
        wrong += differences(attempt.rows, prepared.expected, attempt.form)
        record.wrong += wrong
        record.answered += [] if wrong else [attempt]
    elif attempt.code == "overloaded":
        record.refused.append(attempt)
    else:
        record.failed.append(attempt)
    return attempt


def run(server: Server, scorer: Scorer, plan: OverloadPlan, forms: Sequence[Form] = FORMS) -> list[Overload]:
    """Measure each form, one after another, each in several overloads."""
    overloads: list[Overload] = []
    for form in forms:
        questions = (ask(plan.seed * 1_000_000 + i, form, Mark.of(plan.seed), plan.size) for i in range(plan.questions))
        work = [
            Prepared(question, request_of(question, scorer.manifest.name), rows)
            for question, rows in expected_rows(questions, scorer)
        ]
        asyncio.run(_measure(server, plan, work, form, overloads))
    return overloads


async def _measure(
    server: Server, plan: OverloadPlan, work: list[Prepared], form: Form, overloads: list[Overload]
) -> None:
    """Add the overloads of a form to those before."""
    client = client_of(form, server, _CHANNELS)

    async def capacity(clients: int, seconds: float) -> Capacity:
        cpu, begin = server.cpu_seconds(), time.monotonic()
        record = await keep_busy(client.send, work, clients, seconds)
        answered = len(record.answered) * plan.size.pairs
        if not answered:
            raise ServerFailed(f"expected right answers to {form}, got none: {[*record.wrong, *record.failed][:1]}")
        return Capacity(answered / (time.monotonic() - begin), (server.cpu_seconds() - cpu) / answered, record)

    search = [await capacity(clients, plan.search_seconds) for clients in plan.clients]
    _, clients = max((one.rate, clients) for one, clients in zip(search, plan.clients, strict=True))
    for number in range(plan.rounds):
        await _rest(overloads)
        before = await capacity(clients, plan.capacity_seconds)
        overload = Overload(form, plan.size.pairs, clients, search, [before])
        watches = asyncio.gather(_watch(server, overload, plan.seconds), _count_cpu(server, overload, plan.seconds))
        rate, rng = TIMES * before.rate / plan.size.pairs, Random(plan.seed + number)
        overload.record = await arrive(client.send, work, rate, plan, rng)
        await watches
        overload.capacities.append(await capacity(clients, plan.capacity_seconds))
        overloads.append(overload)
    await client.close()


async def _rest(overloads: Sequence[Overload]) -> None:
    """Wait until all clients of the last overload were due, which the service counts when it says how long to wait."""
    refused = overloads[-1].record.refused if overloads else []
    due = max((attempt.ended + (attempt.retry_after or 0) + _REST_SECONDS for attempt in refused), default=0.0)
    await asyncio.sleep(due - time.monotonic())


async def _watch(server: Server, overload: Overload, seconds: float) -> None:
    """Read the queue's gauges all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        metrics = await asyncio.to_thread(scrape, server.port)
        overload.looks.append(time.monotonic() - begun)
        overload.queue_pairs.append(metrics.gauge("semsim_queue_pairs"))
        overload.queue_bytes.append(metrics.gauge("semsim_queue_bytes"))
        await asyncio.sleep(WATCH_SECONDS)


async def _count_cpu(server: Server, overload: Overload, seconds: float) -> None:
    """Read the processor time at both ends of the time that is counted."""
    await asyncio.sleep(seconds * _WARM_SHARE)
    overload.began, before = time.monotonic(), server.cpu_seconds()
    await asyncio.sleep(seconds * (1 - _WARM_SHARE))
    overload.seconds, overload.cpu = time.monotonic() - overload.began, server.cpu_seconds() - before
