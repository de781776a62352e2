"""Whether a service still gives right answers over both transports."""

import asyncio
from collections.abc import Callable

import grpc

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.checking import differences
from benchmarks.endurance.load.grpc_forms import SCORE, grpc_message, message_rows
from benchmarks.endurance.load.grpc_wire import channel, unary
from benchmarks.endurance.load.http_forms import http_request, json_rows
from benchmarks.endurance.load.http_wire import Closed, Connection, NotHTTP
from benchmarks.endurance.load.pictures import Mark
from benchmarks.endurance.load.questions import Form, Row, Size, ask, expected_rows
from benchmarks.endurance.load.running import Running
from semsim.scorer import Scorer

_SECONDS = 30.0
_SIZE = Size(pairs=2, side=32)


class Probe:
    """One question over HTTP and one over gRPC, with the answers that they must get."""

    def __init__(self, scorer: Scorer, mark: Mark) -> None:
        questions = [ask(7, form, mark, _SIZE) for form in (Form.JSON, Form.BATCH)]
        (self._json, self._json_rows), (self._batch, self._batch_rows) = expected_rows(questions, scorer)

    async def ask(self, service: Running) -> str | None:
        """What is wrong with the answers; nothing when all is well."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._over_http(service) or await self._over_grpc(service)
        except TimeoutError:
            return f"no answer within {_SECONDS:g} s"

    async def _over_http(self, service: Running) -> str | None:
        try:
            connection = await Connection.open(service.http_port)
            await connection.send(http_request(self._json))
            answer = await connection.answer()
            await connection.close()
        except (Closed, NotHTTP) as error:
            return f"HTTP: {error}"
        if answer.status != 200:
            return f"HTTP: {answer.status} {answer.body[:200]!r}"
        return _told("HTTP", lambda: json_rows(answer.body), self._json_rows, Form.JSON)

    async def _over_grpc(self, service: Running) -> str | None:
        async with channel(service.grpc_target) as to:
            try:
                answer = await unary(to, SCORE)(grpc_message(self._batch, ""))
            except grpc.aio.AioRpcError as error:
                return f"gRPC: {error.code().name} {error.details()}"
        return _told("gRPC", lambda: message_rows(Form.BATCH, answer), self._batch_rows, Form.BATCH)


def _told(transport: str, read: Callable[[], list[Row]], expected: list[Row], form: Form) -> str | None:
    try:
        wrong = differences(read(), expected, form)
    except Unreadable as error:
        wrong = [str(error)]
    return f"{transport}: {wrong[0]}" if wrong else None
