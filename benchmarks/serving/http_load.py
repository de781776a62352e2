"""HTTP clients on bare protocols: requests are written as they are, answers hardly parsed."""

import asyncio
import time
from typing import cast

from benchmarks.serving.answers import take_answer
from benchmarks.serving.connections import connect_all
from benchmarks.serving.script import Script

_OK = 200


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, script: Script, done: "asyncio.Future[None]") -> None:
        self._script = script
        self._done = done
        self._received = b""
        self._index = 0
        self._sent = 0.0
        self._first = True
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._send(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take an answer when it is whole, and send the next request."""
        self._received = self._received + data if self._received else data
        try:
            answer = take_answer(self._received)
        except ValueError as error:
            self._fail(error)
            return
        if answer is None or self._transport is None:
            return
        if answer.status != _OK:
            self._fail(RuntimeError(f"expected status {_OK}, got {answer.status}: {answer.body[:300]!r}"))
            return
        self._received = b""
        goes_on = self._script.answered(self._index, self._sent, answer.body, self._first)
        self._first = False
        if goes_on:
            self._send(self._transport)
        elif not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionError("expected a connection that stays open, got one that the server closed"))

    def _send(self, transport: asyncio.Transport) -> None:
        self._index = self._script.next()
        self._sent = time.perf_counter()
        transport.write(self._script.requests[self._index])

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


async def run(script: Script, port: int) -> None:
    """Run the script; returns when each client has its last answer."""
    await connect_all(script, port, _Client)
