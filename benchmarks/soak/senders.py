"""Clients that can go before they have an answer: over HTTP, with unary gRPC, and on one stream for many."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import grpc
import numpy as np

from benchmarks.harness.clients import Attempt, End, GRPCClient, HTTPClient, channel, never_sent
from benchmarks.harness.http_wire import Closed
from benchmarks.harness.messages import STREAM, response_rows
from benchmarks.harness.server import Server
from semsim.protos.semsim.v1 import scorer_pb2 as pb

LISTEN_SECONDS = 0.001
"""A client waits this long behind an answer for a second one."""
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
        """The answers to nothing that was open: second answers, and answers to nobody."""

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


Sender = LeavingHTTPClient | LeavingGRPCClient | SharedStream
