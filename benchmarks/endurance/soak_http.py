"""One HTTP client of a soak: a connection that is kept, and opened again where it was closed."""

import asyncio
import time

import numpy as np

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.http_forms import error_code, http_request, json_rows, request_id
from benchmarks.endurance.load.http_wire import Closed, Connection, HTTPAnswer, NotHTTP
from benchmarks.endurance.load.questions import Question
from benchmarks.endurance.load.spoiled import spoil_http
from benchmarks.endurance.tally import Attempt, End, Kind

_PIECES = 4


class HTTPClient:
    """Sends questions over one connection, one at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: Connection | None = None

    async def attempt(self, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
        """Send it once, and note what became of it."""
        request = http_request(question)
        if attempt.kind is Kind.MALFORMED:
            request, attempt.wanted_code = spoil_http(question)
        try:
            connection = await self._connect()
            if attempt.kind is Kind.CANCELLED:
                await _leave(connection, request, attempt, rng)
                return
            await connection.send(request)
            attempt.written = time.monotonic()
            answer = await connection.answer()
        except Closed as closed:
            attempt.end = End.UNANSWERED if closed.opened else End.UNCONNECTED
            return
        except NotHTTP:
            attempt.end = End.GARBLED
            return
        _note(answer, question, attempt)
        if await connection.unasked():
            attempt.wrong = "more than one answer"
        if answer.closes or attempt.wrong:
            connection.abort()
        else:
            self._connection = connection

    async def _connect(self) -> Connection:
        """The connection that is there, or a new one where the service has closed it: it keeps idle ones for 75 s."""
        kept, self._connection = self._connection, None
        if kept is not None and not kept.is_over:
            return kept
        return await Connection.open(self._port)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()


async def _leave(connection: Connection, request: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
    """Close the connection at a random moment: while the request is sent, or while it is worked on."""
    attempt.end = End.LEFT
    if rng.random() < 0.5:
        await connection.send(request[: int(rng.integers(1, len(request)))])
    else:
        for piece in range(_PIECES):
            await connection.send(request[piece * len(request) // _PIECES : (piece + 1) * len(request) // _PIECES])
        attempt.written = time.monotonic()
    await asyncio.sleep(rng.exponential(0.02))
    if rng.random() < 0.5:
        connection.abort()
    else:
        await connection.close()


def _note(answer: HTTPAnswer, question: Question, attempt: Attempt) -> None:
    if answer.headers.get("x-request-id") != request_id(question):
        attempt.wrong = "the id of another request"
    if answer.status != 200:
        attempt.end, attempt.code = End.REFUSED, error_code(answer.body) or f"HTTP {answer.status}"
        return
    try:
        attempt.end, attempt.rows = End.ANSWERED, json_rows(answer.body)
    except Unreadable as error:
        attempt.end, attempt.wrong = End.GARBLED, str(error)
