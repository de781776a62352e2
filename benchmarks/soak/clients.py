"""The clients of a soak: each sends questions one after another and notes what became of every attempt."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness.clients import Attempt, End, Purpose
from benchmarks.harness.messages import JSON_TYPE, OCTETS_TYPE, grpc_message, http_parts, request_bytes, request_of
from benchmarks.harness.questions import HTTP_FORMS, Form, Question, ask
from benchmarks.soak.result import SoakPlan
from benchmarks.soak.senders import Sender
from semsim.protos.semsim.v1 import scorer_pb2 as pb

PATIENCE_SECONDS = 60.0
"""A client waits this long for an answer; the service's own limit is half of it."""
_AGAIN_SECONDS = 0.2
_TRY_AGAIN_CODES = frozenset({"overloaded", "not_ready"})
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
    serialized = grpc_message(question, model)
    match question.form:
        case Form.STREAM:  # bytes that are no message would end the stream
            streamed = ((pb.ScoreStreamRequest(sequence=question.seed, request=one), code) for one, code in wrong)
            return [(message.SerializeToString(), code) for message, code in streamed]
        case Form.INFER:
            return [(grpc_message(question, model + "-not"), NOT_FOUND), (serialized[: len(serialized) // 2], INVALID)]
        case _:
            return [(serialized[:-1], INVALID), *((request.SerializeToString(), code) for request, code in wrong)]


@dataclass
class Load:
    """The plan, the gate and the record, which all clients share."""

    plan: SoakPlan
    model: str
    seeds: Iterator[int]
    """The seeds of the questions, no two the same."""
    attempts: list[Attempt] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """The gate: while it is cleared, no client begins another request."""
    over: bool = False
    """True once the load has ended: no client begins another request."""
    busy: int = 0

    async def pause(self) -> None:
        """Let no request begin, and wait until none is in flight."""
        self.go.clear()
        while self.busy:
            await asyncio.sleep(0.02)


async def ask_on(load: Load, forms: tuple[Form, ...], sender: Sender, number: int) -> None:
    """Send questions until the load is over, with pauses."""
    rng = np.random.default_rng([load.plan.seed, number, 0xC11E])
    while not load.over:
        await load.go.wait()
        if load.over:
            return
        load.busy += 1
        try:
            seed = next(load.seeds)
            await settle(load, ask(seed, forms[seed % len(forms)], load.plan.mark), sender)
        finally:
            load.busy -= 1
        mean = load.plan.think_seconds
        await asyncio.sleep(rng.exponential(mean * 4) if rng.random() < 0.2 else rng.exponential(mean / 4))


async def settle(load: Load, question: Question, sender: Sender, purpose: Purpose | None = None) -> None:
    """Attempt a question; a well-formed one that is turned away, or cut off, again and again until it is answered."""
    rng = np.random.default_rng([question.seed, 0xD1CE])
    if purpose is None:
        draw, malformed, cancelled = rng.random(), load.plan.malformed, load.plan.cancelled
        purpose = Purpose.CANCELLED if malformed <= draw < malformed + cancelled else Purpose.GOOD
        purpose = Purpose.MALFORMED if draw < malformed else purpose
    while True:
        attempt = Attempt(question.seed, question.form, purpose)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _send(load, sender, question, attempt, rng)
        except TimeoutError:
            attempt.end = End.HUNG
        attempt.ended = time.monotonic()
        load.attempts.append(attempt)
        done = purpose is not Purpose.GOOD or attempt.end in (End.ANSWERED, End.HUNG, End.GARBLED)
        refused = attempt.end is End.REFUSED and attempt.code not in _TRY_AGAIN_CODES
        if done or refused or load.over:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


async def _send(load: Load, sender: Sender, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
    """Send a question once, as the attempt's purpose says, and note what became of it."""
    request = request_of(question, load.model)
    if attempt.purpose is Purpose.MALFORMED:
        request, attempt.wanted_code = spoil(question, load.model)
    if attempt.purpose is Purpose.CANCELLED:
        attempt.end = End.LEFT
        await sender.leave(request, attempt, rng)
    else:
        await sender.send(request, attempt)
