"""The clients of a soak: each sends questions one after another and notes what became of every attempt."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import Form, Question, ask
from benchmarks.endurance.tally import Attempt, End, Kind

PATIENCE_SECONDS = 60.0
"""A client waits this long for an answer; the service's own limit is half of it."""
_AGAIN_SECONDS = 0.2
_TRY_AGAIN_CODES = frozenset({"overloaded", "not_ready"})


@dataclass(slots=True)
class Mix:
    """What is sent."""

    seed: int
    mark: Mark
    malformed: float = 0.05
    cancelled: float = 0.02
    think_seconds: float = 0.4
    """Mean time between a client's requests. Most come one upon another, some after a long time: bursts."""


@dataclass
class Load:
    """What the clients share: the mix, the gate, and the record."""

    mix: Mix
    attempts: list[Attempt] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, no client begins another request."""
    over: bool = False
    """No client begins another request, ever."""
    busy: int = 0
    _count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def next_seed(self) -> int:
        """A seed that no other question has."""
        return self.mix.seed * 10_000_000 + next(self._count)

    async def pause(self) -> None:
        """Let no request begin, and wait until none is in flight."""
        self.go.clear()
        while self.busy:
            await asyncio.sleep(0.02)


Attempting = Callable[[Question, Attempt, np.random.Generator], Awaitable[None]]
"""Sends a question once, as its kind says, and notes what became of it."""


async def client(load: Load, forms: tuple[Form, ...], attempting: Attempting, number: int) -> None:
    """Send questions until the load is over, with pauses."""
    rng = np.random.default_rng([load.mix.seed, number, 0xC11E])
    while not load.over:
        await load.go.wait()
        if load.over:
            return
        load.busy += 1
        try:
            seed = load.next_seed()
            await settle(load, ask(seed, forms[seed % len(forms)], load.mix.mark), attempting)
        finally:
            load.busy -= 1
        mean = load.mix.think_seconds
        await asyncio.sleep(rng.exponential(mean * 4) if rng.random() < 0.2 else rng.exponential(mean / 4))


async def settle(load: Load, question: Question, attempting: Attempting, kind: Kind | None = None) -> None:
    """Attempt a question; a well-formed one that is turned away, or cut off, again and again until it is answered."""
    rng = np.random.default_rng([question.seed, 0xD1CE])
    kind = kind or _kind(load.mix, rng.random())
    while True:
        attempt = Attempt(question.seed, question.form, kind, time.monotonic())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await attempting(question, attempt, rng)
        except TimeoutError:
            attempt.end = End.HUNG
        attempt.ended = time.monotonic()
        load.attempts.append(attempt)
        done = kind is not Kind.GOOD or attempt.end in (End.ANSWERED, End.HUNG, End.GARBLED)
        refused = attempt.end is End.REFUSED and attempt.code not in _TRY_AGAIN_CODES
        if done or refused or load.over:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


def _kind(mix: Mix, draw: float) -> Kind:
    if draw < mix.malformed:
        return Kind.MALFORMED
    return Kind.CANCELLED if draw < mix.malformed + mix.cancelled else Kind.GOOD
