"""One stream that several clients of a soak share: their requests are worked on at once, and answers overtake."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import grpc
import numpy as np

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.grpc_forms import STREAM, grpc_message, response_rows
from benchmarks.endurance.load.grpc_wire import channel, never_sent, stream
from benchmarks.endurance.load.questions import Question
from benchmarks.endurance.load.spoiled import spoil_grpc
from benchmarks.endurance.tally import Attempt, End, Kind
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb


class SharedStream:
    """A ``ScoreStream`` that is opened again when it ends."""

    def __init__(self, target: str) -> None:
        self._channel = channel(target)
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[pb.ScoreStreamResponse]] = {}
        # gRPC sends one message of a call at a time.
        self._sending = asyncio.Lock()
        self.unasked = 0
        """Answers to nothing that was open: a second one, or one of nobody."""

    async def attempt(self, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
        """Send a question once, and note what became of it."""
        message = grpc_message(question, "")
        if attempt.kind is Kind.MALFORMED:
            message, attempt.wanted_code = spoil_grpc(question, "")
        if attempt.kind is Kind.CANCELLED:
            await self._leave(message, attempt, rng)
            return
        answered = asyncio.get_running_loop().create_future()
        try:
            async with self._sending:
                call = self._open()
                self._waiting[question.seed] = answered
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it ended: the reader says how
                    await call.write(message)
            attempt.written = time.monotonic()
            _note(await answered, attempt)
        except _Ended as ended:
            attempt.end = ended.end
        finally:
            self._waiting.pop(question.seed, None)

    def _open(self) -> Any:
        if self._reader is None or self._reader.done():
            self._call = stream(self._channel, STREAM)()
            self._reader = asyncio.create_task(self._read(self._call))
        return self._call

    async def _read(self, call: Any) -> None:
        """Hand each answer to who waits for it; at the end tell those who still do."""
        mine = self._waiting
        end = End.UNANSWERED
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                answer = pb.ScoreStreamResponse.FromString(message)
                waiting = mine.get(answer.sequence)
                if waiting is None or waiting.done():
                    self.unasked += 1
                else:
                    waiting.set_result(answer)
        except grpc.aio.AioRpcError as error:
            end = End.UNCONNECTED if never_sent(error) else End.UNANSWERED
        finally:
            for waiting in mine.values():
                if not waiting.done():
                    waiting.set_exception(_Ended(end))

    async def _leave(self, message: bytes, attempt: Attempt, rng: np.random.Generator) -> None:
        """A stream of its own, cancelled at a random moment."""
        attempt.end = End.LEFT
        call = stream(self._channel, STREAM)()
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


class _Ended(Exception):
    """The stream ended."""

    def __init__(self, end: End) -> None:
        super().__init__(end.value)
        self.end = end


def _note(answer: pb.ScoreStreamResponse, attempt: Attempt) -> None:
    if answer.WhichOneof("outcome") == "error":
        attempt.end, attempt.code = End.REFUSED, answer.error.code
        return
    try:
        attempt.end, attempt.rows = End.ANSWERED, response_rows(answer.response)
    except Unreadable as error:
        attempt.end, attempt.wrong = End.GARBLED, str(error)
