"""Clients of an overload: those that keep a service busy, and those that arrive whether it keeps up or not."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import grpc

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.checking import differences
from benchmarks.endurance.load.grpc_forms import grpc_message, message_rows, method_of
from benchmarks.endurance.load.grpc_wire import ERROR_CODE, RETRY_AFTER, channel, trailing, unary
from benchmarks.endurance.load.http_forms import error_code, http_request, json_rows
from benchmarks.endurance.load.http_wire import Closed, Connection, NotHTTP
from benchmarks.endurance.load.questions import HTTP_FORMS, Question, Row
from benchmarks.endurance.load.running import Running

_CHANNELS = 4
_JITTER = 0.2
"""A refused client waits for as long as it was told, and up to this share longer, so that not all come at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question, as bytes, and its answer: made beforehand, so that clients cost little."""

    question: Question
    request: bytes
    expected: list[Row]


@dataclass(frozen=True, slots=True)
class Reply:
    """What one attempt got."""

    begun: float
    ended: float
    """Seconds of ``time.monotonic``."""
    rows: list[Row] | None = None
    code: str | None = None
    """Of a refusal; "closed" where there was no answer."""
    retry_after: int | None = None


@dataclass
class Record:
    """All attempts of a phase."""

    answered: list[Reply] = field(default_factory=list)
    refused: list[Reply] = field(default_factory=list)
    failed: list[Reply] = field(default_factory=list)
    """Neither answered nor refused for want of room."""
    wrong: list[str] = field(default_factory=list)
    """What was wrong with answers, which count as none."""
    arrivals: int = 0
    gave_up: int = 0
    """Clients that lost patience."""
    cut_short: int = 0
    """Clients that would have come again after the end."""


Ask = Callable[[Prepared], Awaitable[Reply]]


class HTTPPool:
    """Connections that are kept, as many as are in use at once."""

    def __init__(self, service: Running) -> None:
        self._port = service.http_port
        self._idle: list[Connection] = []

    async def ask(self, prepared: Prepared) -> Reply:
        """Send one request."""
        begun = time.monotonic()
        try:
            connection = await self._take()
            await connection.send(prepared.request)
            answer = await connection.answer()
        except (Closed, NotHTTP):
            return Reply(begun, time.monotonic(), code="closed")
        ended = time.monotonic()
        if answer.closes:
            connection.abort()
        else:
            self._idle.append(connection)
        if answer.status == 200:
            return _read(begun, ended, lambda: json_rows(answer.body))
        told = answer.headers.get("retry-after", "")
        code = error_code(answer.body) or f"HTTP {answer.status}"
        return Reply(begun, ended, code=code, retry_after=int(told) if told.isdecimal() else None)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_over:
                return connection
            connection.abort()
        return await Connection.open(self._port)

    async def close(self) -> None:
        """Close them."""
        for connection in self._idle:
            connection.abort()


class GRPCPool:
    """A few channels."""

    def __init__(self, service: Running) -> None:
        self._channels = [channel(service.grpc_target) for _ in range(_CHANNELS)]
        self._turn = itertools.cycle(self._channels)

    async def ask(self, prepared: Prepared) -> Reply:
        """Make one call."""
        form = prepared.question.form
        begun = time.monotonic()
        try:
            answer = await unary(next(self._turn), method_of(form))(prepared.request)
        except grpc.aio.AioRpcError as error:
            told = trailing(error, RETRY_AFTER)
            code = trailing(error, ERROR_CODE) or f"gRPC {error.code().name}"
            return Reply(begun, time.monotonic(), code=code, retry_after=int(told) if told else None)
        return _read(begun, time.monotonic(), lambda: message_rows(form, answer))

    async def close(self) -> None:
        """Close them."""
        for one in self._channels:
            await one.close()


def _read(begun: float, ended: float, rows: Callable[[], list[Row]]) -> Reply:
    try:
        return Reply(begun, ended, rows=rows())
    except Unreadable as error:
        return Reply(begun, ended, code=str(error))


def prepare(question: Question, expected: list[Row], model: str) -> Prepared:
    """A question as it is sent."""
    over_http = question.form in HTTP_FORMS
    return Prepared(question, http_request(question) if over_http else grpc_message(question, model), expected)


async def keep_busy(ask: Ask, work: Sequence[Prepared], clients: int, seconds: float) -> Record:
    """A closed loop: each client asks again as soon as it is answered."""
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            await asked(record, ask, next(turn))

    await asyncio.gather(*(client() for _ in range(clients)))
    return record


async def arrive(
    ask: Ask, work: Sequence[Prepared], rate: float, seconds: float, patience: float, rng: Random
) -> Record:
    """An open loop: ``rate`` clients a second, each with one question, which comes again when it is told to.

    A client gives up where coming again would be later than ``patience`` seconds after it arrived.
    """
    record, turn = Record(), itertools.cycle(work)
    end = time.monotonic() + seconds

    async def client(prepared: Prepared) -> None:
        arrived = time.monotonic()
        while True:
            reply = await asked(record, ask, prepared)
            if reply.code != "overloaded" or reply.retry_after is None:
                return
            again = reply.ended + reply.retry_after * (1 + _JITTER * rng.random())
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


async def asked(record: Record, ask: Ask, prepared: Prepared) -> Reply:
    """Ask once, and note what came of it."""
    reply = await ask(prepared)
    if reply.rows is not None:
        if wrong := differences(reply.rows, prepared.expected, prepared.question.form):
            record.wrong += wrong
        else:
            record.answered.append(reply)
    elif reply.code == "overloaded":
        record.refused.append(reply)
    else:
        record.failed.append(reply)
    return reply
