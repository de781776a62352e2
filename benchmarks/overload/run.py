"""The overloads of each form, one after another, with capacity measured before and after each."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

from benchmarks.harness.clients import client_of, request_of
from benchmarks.harness.metrics import scrape
from benchmarks.harness.pictures import Mark
from benchmarks.harness.questions import Form, ask
from benchmarks.harness.rows import expected_rows
from benchmarks.harness.server import Server, ServerFailed
from benchmarks.overload.clients import Prepared, arrive, keep_busy
from benchmarks.overload.result import Capacity, Overload, OverloadPlan
from semsim.scorer import Scorer

FORMS = (Form.JSON, Form.OCTETS, Form.BATCH)
_TIMES = 3.0
_CHANNELS = 4
_WATCH_SECONDS = 2.0
"""Seconds between two looks at the queue's gauges: each costs the service milliseconds."""
_WARM_SHARE = 0.25
"""The share of an overload that is not counted: the queue fills meanwhile."""


def run(server: Server, scorer: Scorer, plan: OverloadPlan, forms: Sequence[Form] = FORMS) -> list[Overload]:
    """Measure each form, one after another, each in several overloads."""
    overloads = []
    for form in forms:
        questions = (ask(plan.seed * 1_000_000 + i, form, Mark.of(plan.seed), plan.size) for i in range(plan.questions))
        work = [
            Prepared(question, request_of(question, scorer.manifest.name), rows)
            for question, rows in expected_rows(questions, scorer)
        ]
        overloads += asyncio.run(_measure(server, plan, work, form))
    return overloads


async def _measure(server: Server, plan: OverloadPlan, work: list[Prepared], form: Form) -> list[Overload]:
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
    overloads: list[Overload] = []
    before = await capacity(clients, plan.capacity_seconds)
    for number in range(plan.rounds):
        overload = Overload(form, plan.size.pairs, clients, search, [before])
        watches = asyncio.gather(_watch(server, overload, plan.seconds), _count_cpu(server, overload, plan.seconds))
        rate, rng = _TIMES * before.rate / plan.size.pairs, Random(plan.seed + number)
        overload.record = await arrive(client.send, work, rate, plan.seconds, plan.patience, rng)
        await watches
        before = await capacity(clients, plan.capacity_seconds)
        overload.capacities.append(before)
        overloads.append(overload)
    await client.close()
    return overloads


async def _watch(server: Server, overload: Overload, seconds: float) -> None:
    """Read the queue's gauges all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        metrics = await asyncio.to_thread(scrape, server.port)
        overload.queue_pairs.append(metrics.gauge("semsim_queue_pairs"))
        overload.queue_bytes.append(metrics.gauge("semsim_queue_bytes"))
        await asyncio.sleep(_WATCH_SECONDS)


async def _count_cpu(server: Server, overload: Overload, seconds: float) -> None:
    """Read the processor time twice: what is counted is what came between the two."""
    await asyncio.sleep(seconds * _WARM_SHARE)
    overload.began, before = time.monotonic(), server.cpu_seconds()
    await asyncio.sleep(seconds * (1 - _WARM_SHARE))
    overload.seconds, overload.cpu = time.monotonic() - overload.began, server.cpu_seconds() - before
