"""The clients of a soak: each sends questions one after another and notes what became of every attempt."""

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from benchmarks.harness.clients import Attempt, End, GRPCClient, HTTPClient, Purpose, channel, never_sent, request_of
from benchmarks.harness.http_wire import Closed
from benchmarks.harness.messages import (
    JSON_TYPE,
    OCTETS_TYPE,
    STREAM,
    grpc_message,
    http_parts,
    request_bytes,
    response_rows,
)
from benchmarks.harness.questions import HTTP_FORMS, Form, Question, ask
from benchmarks.harness.server import Server
from benchmarks.soak.result import SoakPlan
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb


class SharedStream:
    """A ``ScoreStream`` that is opened again when it ends."""

    def __init__(self, server: Server) -> None:
        self._channel = channel(server.grpc_target)
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[pb.ScoreStreamResponse | End]] = {}
        # gRPC sends one message of a call at a time.
        self._sending = asyncio.Lock()
        self.unasked = 0
        """Answers to nothing that was open: a second one, or one of nobody."""

    async def send(self, message: bytes, attempt: Attempt) -> None:
        """Send a request, and note what became of it."""
        waiting = asyncio.get_running_loop().create_future()
        try:
            async with self._sending:
                call = self._open()
                self._waiting[attempt.seed] = waiting
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it ended: the reader says how
                    await call.write(message)
            attempt.written = time.monotonic()
            answer = await waiting
        finally:
            self._waiting.pop(attempt.seed, None)
        if isinstance(answer, End):
            attempt.end = answer
        elif answer.WhichOneof("outcome") == "error":
            attempt.refuse(answer.error.code)
        else:
            attempt.answer(lambda: response_rows(answer.response))

    def _open(self) -> Any:
        if self._reader is None or self._reader.done():
            self._call = self._channel.stream_stream(STREAM)()
            self._reader = asyncio.create_task(self._read(self._call))
        return self._call

    async def _read(self, call: Any) -> None:
        """Hand each answer to the attempt that waits for it; at the end tell those that still do how it ended."""
        end = End.UNANSWERED
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                answer = pb.ScoreStreamResponse.FromString(message)
                waiting = self._waiting.get(answer.sequence)
                if waiting is None or waiting.done():
                    self.unasked += 1
                else:
                    waiting.set_result(answer)
        except grpc.aio.AioRpcError as error:
            end = End.UNCONNECTED if never_sent(error) else End.UNANSWERED
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(end)

    async def leave(self, message: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """Open another stream, and cancel it at a random moment."""
        call = self._channel.stream_stream(STREAM)()
        with suppress(grpc.aio.AioRpcError, asyncio.CancelledError, asyncio.InvalidStateError):
            await call.write(message)
            attempt.written = time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(call.read(), rng.exponential(0.03))
        call.cancel()

    async def close(self) -> None:
        """Half-close the stream, then close the channel."""
        if self._reader is not None and not self._reader.done():
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._call.done_writing()
            await asyncio.wait((self._reader,), timeout=5)
        await self._channel.close()


INVALID, TOO_MANY, MEDIA, NOT_FOUND = "invalid_request", "too_many_pairs", "unsupported_media_type", "not_found"
_TOO_MANY_PAIRS = 300


def spoil(question: Question, model: str) -> tuple[bytes, str]:
    """The question's request, made wrong in a way that its seed says, and the code."""
    ways = _http_ways(question) if question.form in HTTP_FORMS else _grpc_ways(question, model)
    return ways[int(np.random.default_rng([question.seed, 0xBAD]).integers(len(ways)))]


def _http_ways(question: Question) -> list[tuple[bytes, str]]:
    headers, body = http_parts(question)
    many = ",".join(['{"original":"","reconstruction":""}'] * _TOO_MANY_PAIRS)
    ways: list[tuple[dict[str, str], bytes, str]] = [
        (headers, body[: len(body) // 2], INVALID),
        ({**headers, "Content-Type": "text/plain"}, body, MEDIA),
        ({**headers, "Content-Encoding": "gzip"}, body, MEDIA),
        ({"Content-Type": JSON_TYPE}, b'{"pairs":[]}', INVALID),
        ({"Content-Type": JSON_TYPE}, f'{{"pairs":[{many}]}}'.encode(), TOO_MANY),
        ({"Content-Type": OCTETS_TYPE}, body, INVALID),
        ({"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": "2,8,8"}, b"\0" * 100, INVALID),
        ({"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": f"{_TOO_MANY_PAIRS},8,8"}, body, TOO_MANY),
    ]
    return [(request_bytes({"X-Request-Id": question.name, **chosen}, wrong), code) for chosen, wrong, code in ways]


def _grpc_ways(question: Question, model: str) -> list[tuple[bytes, str]]:
    short = pb.RawImages(pixels=b"\0" * 10, count=1, height=8, width=8)
    wrong = [
        (pb.ScoreRequest(), INVALID),
        (pb.ScoreRequest(batch=pb.RawBatch(originals=short, reconstructions=short)), INVALID),
        (pb.ScoreRequest(pairs=[pb.Pair()] * _TOO_MANY_PAIRS), TOO_MANY),
    ]
    whole = grpc_message(question, model)
    match question.form:
        case Form.STREAM:  # bytes that are no message would end the stream
            streamed = ((pb.ScoreStreamRequest(sequence=question.seed, request=one), code) for one, code in wrong)
            return [(message.SerializeToString(), code) for message, code in streamed]
        case Form.INFER:
            return [(grpc_message(question, model + "-not"), NOT_FOUND), (whole[: len(whole) // 2], INVALID)]
        case _:
            return [(whole[:-1], INVALID), *((request.SerializeToString(), code) for request, code in wrong)]


PATIENCE_SECONDS = 60.0
"""A client waits this long for an answer; the service's own limit is half of it."""
_AGAIN_SECONDS = 0.2
_TRY_AGAIN_CODES = frozenset({"overloaded", "not_ready"})
LISTEN_SECONDS = 0.001
"""How long a client waits behind an answer for a second one."""
_PIECES = 4


class LeavingHTTPClient(HTTPClient):
    """A client that can go before it has an answer."""

    async def leave(self, request: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """Close the connection at a random moment: while the request is sent, or while it is worked on."""
        try:
            connection = await self.connection()
            if rng.random() < 0.5:
                await connection.send(request[: int(rng.integers(1, len(request)))])
            else:
                for piece in range(_PIECES):
                    begin, end = (place * len(request) // _PIECES for place in (piece, piece + 1))
                    await connection.send(request[begin:end])
                attempt.written = time.monotonic()
        except Closed as closed:
            attempt.end = End.UNANSWERED if closed.opened else End.UNCONNECTED
            return
        await asyncio.sleep(rng.exponential(0.02))
        if rng.random() < 0.5:
            connection.abort()
        else:
            await connection.close()


class LeavingGRPCClient(GRPCClient):
    """A client that can go before it has an answer."""

    async def leave(self, message: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """Cancel the call at a random moment."""
        sending = asyncio.ensure_future(self.send(message, attempt))
        await asyncio.wait((sending,), timeout=rng.exponential(0.03))
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


SoakClient = LeavingHTTPClient | LeavingGRPCClient | SharedStream


@dataclass
class Load:
    """What the clients share: the plan, the gate, and the record."""

    plan: SoakPlan
    model: str
    attempts: list[Attempt] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, no client begins another request."""
    over: bool = False
    """No client begins another request, ever."""
    busy: int = 0
    _count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def next_seed(self) -> int:
        """A seed that no other question has."""
        return self.plan.seed * 10_000_000 + next(self._count)

    async def pause(self) -> None:
        """Let no request begin, and wait until none is in flight."""
        self.go.clear()
        while self.busy:
            await asyncio.sleep(0.02)


async def ask_on(load: Load, forms: tuple[Form, ...], client: SoakClient, number: int) -> None:
    """Send questions until the load is over, with pauses."""
    rng = np.random.default_rng([load.plan.seed, number, 0xC11E])
    while not load.over:
        await load.go.wait()
        if load.over:
            return
        load.busy += 1
        try:
            seed = load.next_seed()
            await settle(load, ask(seed, forms[seed % len(forms)], load.plan.mark), client)
        finally:
            load.busy -= 1
        mean = load.plan.think_seconds
        await asyncio.sleep(rng.exponential(mean * 4) if rng.random() < 0.2 else rng.exponential(mean / 4))


async def settle(load: Load, question: Question, client: SoakClient, purpose: Purpose | None = None) -> None:
    """Attempt a question; a well-formed one that is turned away, or cut off, again and again until it is answered."""
    rng = np.random.default_rng([question.seed, 0xD1CE])
    purpose = purpose or _purpose(load.plan, rng.random())
    while True:
        attempt = Attempt(question.seed, question.form, purpose)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _send(load, client, question, attempt, rng)
        except TimeoutError:
            attempt.end = End.HUNG
        attempt.ended = time.monotonic()
        load.attempts.append(attempt)
        done = purpose is not Purpose.GOOD or attempt.end in (End.ANSWERED, End.HUNG, End.GARBLED)
        refused = attempt.end is End.REFUSED and attempt.code not in _TRY_AGAIN_CODES
        if done or refused or load.over:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


async def _send(load: Load, client: SoakClient, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
    """Send a question once, as the attempt's purpose says, and note what became of it."""
    request = request_of(question, load.model)
    if attempt.purpose is Purpose.MALFORMED:
        request, attempt.wanted_code = spoil(question, load.model)
    if attempt.purpose is Purpose.CANCELLED:
        attempt.end = End.LEFT
        await client.leave(request, attempt, rng)
    else:
        await client.send(request, attempt)


def _purpose(plan: SoakPlan, draw: float) -> Purpose:
    if draw < plan.malformed:
        return Purpose.MALFORMED
    return Purpose.CANCELLED if draw < plan.malformed + plan.cancelled else Purpose.GOOD
