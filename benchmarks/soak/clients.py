"""The clients of a soak: each sends questions one after another and notes what became of every attempt."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness.clients import Attempt, End, GRPCClient, HTTPClient, Purpose, request_of
from benchmarks.harness.http_wire import Closed
from benchmarks.harness.questions import Form, Question, ask
from benchmarks.harness.server import Server
from benchmarks.soak.result import SoakPlan
from benchmarks.soak.spoiled import spoil

PATIENCE_SECONDS = 60.0
"""A client waits this long for an answer; the service's own limit is half of it."""
_AGAIN_SECONDS = 0.2
_TRY_AGAIN_CODES = frozenset({"overloaded", "not_ready"})
_LISTEN_SECONDS = 0.001
_PIECES = 4


@dataclass(frozen=True)
class Caller:
    """Sends questions over one client: as they are, made wrong, or left alone on the way."""

    model: str
    send: Callable[[bytes, Attempt], Awaitable[None]]
    leave: Callable[[bytes, Attempt, np.random.Generator], Awaitable[None]]
    close: Callable[[], Awaitable[None]]

    async def attempt(self, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
        """Send a question once, as the attempt's purpose says, and note what became of it."""
        request = request_of(question, self.model)
        if attempt.purpose is Purpose.MALFORMED:
            request, attempt.wanted_code = spoil(question, self.model)
        if attempt.purpose is Purpose.CANCELLED:
            attempt.end = End.LEFT
            await self.leave(request, attempt, rng)
        else:
            await self.send(request, attempt)


def http_caller(server: Server, model: str) -> Caller:
    """A caller with an HTTP connection of its own."""
    client = HTTPClient(server.port, _LISTEN_SECONDS)

    async def leave(request: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """Close the connection at a random moment: while the request is sent, or while it is worked on."""
        try:
            connection = await client.connection()
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

    return Caller(model, client.send, leave, client.close)


def grpc_caller(server: Server, model: str) -> Caller:
    """A caller with a gRPC channel of its own."""
    client = GRPCClient(server.grpc_target)

    async def leave(message: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """Cancel the call at a random moment."""
        sending = asyncio.ensure_future(client.send(message, attempt))
        await asyncio.wait((sending,), timeout=rng.exponential(0.03))
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

    return Caller(model, client.send, leave, client.close)


@dataclass
class Load:
    """What the clients share: the plan, the gate, and the record."""

    plan: SoakPlan
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


async def ask_on(load: Load, forms: tuple[Form, ...], caller: Caller, number: int) -> None:
    """Send questions until the load is over, with pauses."""
    rng = np.random.default_rng([load.plan.seed, number, 0xC11E])
    while not load.over:
        await load.go.wait()
        if load.over:
            return
        load.busy += 1
        try:
            seed = load.next_seed()
            await settle(load, ask(seed, forms[seed % len(forms)], load.plan.mark), caller)
        finally:
            load.busy -= 1
        mean = load.plan.think_seconds
        await asyncio.sleep(rng.exponential(mean * 4) if rng.random() < 0.2 else rng.exponential(mean / 4))


async def settle(load: Load, question: Question, caller: Caller, purpose: Purpose | None = None) -> None:
    """Attempt a question; a well-formed one that is turned away, or cut off, again and again until it is answered."""
    rng = np.random.default_rng([question.seed, 0xD1CE])
    purpose = purpose or _purpose(load.plan, rng.random())
    while True:
        attempt = Attempt(question.seed, question.form, purpose)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await caller.attempt(question, attempt, rng)
        except TimeoutError:
            attempt.end = End.HUNG
        attempt.ended = time.monotonic()
        load.attempts.append(attempt)
        done = purpose is not Purpose.GOOD or attempt.end in (End.ANSWERED, End.HUNG, End.GARBLED)
        refused = attempt.end is End.REFUSED and attempt.code not in _TRY_AGAIN_CODES
        if done or refused or load.over:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


def _purpose(plan: SoakPlan, draw: float) -> Purpose:
    if draw < plan.malformed:
        return Purpose.MALFORMED
    return Purpose.CANCELLED if draw < plan.malformed + plan.cancelled else Purpose.GOOD
