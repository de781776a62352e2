"""Clients that send a question once, over HTTP or gRPC, and note what became of it."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import grpc

from benchmarks.harness.http_wire import Closed, Connection, NotHTTP
from benchmarks.harness.messages import METHODS, error_code, json_rows, message_rows
from benchmarks.harness.questions import HTTP_FORMS, Form
from benchmarks.harness.rows import Row, Unreadable
from benchmarks.harness.server import Server

ERROR_CODE = "semsim-error-code"
RETRY_AFTER = "retry-after"
REQUEST_ID = "x-request-id"
_CROSSED = "the id of another request"

# Without the first two a client that met a closed port would wait for up to two minutes before it comes again.
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 10_000),  # for a connection that is made, as the product has
    ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A connection of its own, not one shared with other channels to the same address.
    ("grpc.use_local_subchannel_pool", 1),
]


def channel(target: str) -> Any:
    """An asynchronous channel with a connection of its own."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)


def trailing(error: Any, key: str) -> str | None:
    """A value of an error's trailing metadata."""
    for name, value in error.trailing_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def never_sent(error: grpc.aio.AioRpcError) -> bool:
    """True where a call failed because its channel had no connection, and could not get one."""
    return "failed to connect" in (error.details() or "").lower()


class Purpose(StrEnum):
    """The intention of a client with a request."""

    GOOD = "well-formed"
    MALFORMED = "malformed"
    CANCELLED = "cancelled by the client"


class End(StrEnum):
    """The end of one attempt."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """The connection was closed with no answer."""
    UNCONNECTED = "unconnected"
    LEFT = "left"
    HUNG = "hung"
    """The client's patience ended without an answer while the connection was still open."""
    GARBLED = "garbled"


@dataclass(slots=True)
class Attempt:
    """One request as it was sent once, and what became of it. Moments are seconds of ``time.monotonic``."""

    seed: int
    form: Form
    purpose: Purpose = Purpose.GOOD
    begun: float = field(default_factory=time.monotonic)
    written: float | None = None
    """The moment when the request's last byte was handed to the system; None when it never was."""
    ended: float = 0.0
    end: End = End.UNANSWERED
    rows: list[Row] = field(default_factory=list)
    code: str | None = None
    retry_after: int | None = None
    """Seconds after which a refused client may come again; None where it was not told."""
    wanted_code: str | None = None
    """The code of the refusal that a malformed request must get."""
    wrong: str | None = None
    """A fault of the answer beside its rows: another request's id, or more than one answer."""

    def answer(self, rows: Callable[[], list[Row]]) -> None:
        """Note an answer: its rows, or that it cannot be read."""
        try:
            self.end, self.rows = End.ANSWERED, rows()
        except Unreadable as error:
            self.end, self.wrong = End.GARBLED, str(error)

    def refuse(self, code: str, retry_after: str | None = None) -> None:
        """Note a refusal."""
        self.end, self.code = End.REFUSED, code
        self.retry_after = int(retry_after) if retry_after and retry_after.isdecimal() else None


class HTTPClient:
    """Sends requests over connections that are kept, as many as are in use at once."""

    def __init__(self, port: int, listen_seconds: float = 0.0) -> None:
        """``listen_seconds`` is how long to wait behind an answer for bytes that nothing asked for."""
        self._port = port
        self._listen_seconds = listen_seconds
        self._idle: list[Connection] = []

    async def send(self, request: bytes, attempt: Attempt) -> None:
        """Send a request, and note what became of it."""
        try:
            connection = await self.connection()
            await connection.send(request)
            attempt.written = time.monotonic()
            answer = await connection.answer()
        except Closed as closed:
            attempt.end = End.UNANSWERED if closed.opened else End.UNCONNECTED
            return
        except NotHTTP:
            attempt.end = End.GARBLED
            return
        finally:
            attempt.ended = time.monotonic()
        if answer.status == 200:
            attempt.answer(lambda: json_rows(answer.body))
        else:
            attempt.refuse(error_code(answer.body) or f"HTTP {answer.status}", answer.headers.get(RETRY_AFTER))
        if answer.headers.get(REQUEST_ID) != f"q{attempt.seed}":
            attempt.wrong = _CROSSED
        if await connection.unasked(self._listen_seconds):
            attempt.wrong = "more than one answer"
        if answer.closes or attempt.wrong:
            connection.abort()
        else:
            self._idle.append(connection)

    async def connection(self) -> Connection:
        """A connection that is kept, or a new one: the service closes idle ones after 75 s."""
        while self._idle:
            kept = self._idle.pop()
            if not kept.is_over:
                return kept
            kept.abort()
        return await Connection.open(self._port)

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._idle:
            await connection.close()


class GRPCClient:
    """Makes unary calls over channels of its own, in turn."""

    def __init__(self, target: str, channels: int = 1) -> None:
        self._channels = [channel(target) for _ in range(channels)]
        self._turn = itertools.cycle(self._channels)

    async def send(self, message: bytes, attempt: Attempt) -> None:
        """Make a call, and note what became of it: a refusal of the service carries its code, gRPC's own does not."""
        method = next(self._turn).unary_unary(METHODS[attempt.form])
        call = method(message, metadata=((REQUEST_ID, f"q{attempt.seed}"),))
        attempt.written = time.monotonic()
        try:
            answer = await call
            names = [value for key, value in await call.trailing_metadata() if key == REQUEST_ID]
            attempt.answer(lambda: message_rows(attempt.form, answer))
            if names != [f"q{attempt.seed}"]:
                attempt.wrong = _CROSSED
        except grpc.aio.AioRpcError as error:
            code = trailing(error, ERROR_CODE)
            if code is None and error.code() is grpc.StatusCode.UNAVAILABLE:
                attempt.end = End.UNCONNECTED if never_sent(error) else End.UNANSWERED
            else:
                attempt.refuse(code or f"gRPC {error.code().name}", trailing(error, RETRY_AFTER))
        finally:
            attempt.ended = time.monotonic()
            call.cancel()  # of no effect once it is done

    async def close(self) -> None:
        """Close the channels."""
        for one in self._channels:
            await one.close()


def client_of(form: Form, server: Server, channels: int = 1) -> HTTPClient | GRPCClient:
    """A client for questions of a form."""
    return HTTPClient(server.port) if form in HTTP_FORMS else GRPCClient(server.grpc_target, channels)
