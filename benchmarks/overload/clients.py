"""Clients of an overload: those that keep a service busy, and those that arrive whether it keeps up or not."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.harness.clients import Attempt, End
from benchmarks.harness.questions import Question
from benchmarks.harness.rows import Row, differences
from benchmarks.overload.result import Record

_JITTER = 0.2
"""A refused client waits for as long as it was told, and up to this share longer, so that not all come at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question, as bytes, and its answer: made beforehand, so that clients cost little."""

    question: Question
    request: bytes
    expected: list[Row]


Send = Callable[[bytes, Attempt], Awaitable[None]]


async def keep_busy(send: Send, work: Sequence[Prepared], clients: int, seconds: float) -> Record:
    """A closed loop: each client asks again as soon as it is answered."""
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            await attempted(record, send, next(turn))

    await asyncio.gather(*(client() for _ in range(clients)))
    return record


async def arrive(
    send: Send, work: Sequence[Prepared], rate: float, seconds: float, patience: float, rng: Random
) -> Record:
    """An open loop: ``rate`` clients a second, each with one question, which comes again when it is told to.

    A client gives up where coming again would be later than ``patience`` seconds after it arrived.
    """
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + seconds

    async def client(prepared: Prepared) -> None:
        arrived = time.monotonic()
        while True:
            attempt = await attempted(record, send, prepared)
            if attempt.code != "overloaded" or attempt.retry_after is None:
                return
            again = attempt.ended + attempt.retry_after * (1 + _JITTER * rng.random())
            if again > arrived + patience:
                record.gave_up += 1
                return
            if again > end:
                record.cut_short += 1
                return
            await asyncio.sleep(again - time.monotonic())

    at = time.monotonic()
    async with asyncio.TaskGroup() as clients:
        while (at := at + rng.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            record.arrivals += 1
            clients.create_task(client(next(turn)))
    return record


async def attempted(record: Record, send: Send, prepared: Prepared) -> Attempt:
    """Ask once, and note what came of it."""
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
