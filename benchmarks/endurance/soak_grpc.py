"""One client of unary gRPC calls of a soak, with a channel of its own."""

import asyncio
import time

import grpc
import numpy as np

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.grpc_forms import grpc_message, message_rows, method_of
from benchmarks.endurance.load.grpc_wire import ERROR_CODE, channel, never_sent, trailing, unary
from benchmarks.endurance.load.http_forms import request_id
from benchmarks.endurance.load.questions import Question
from benchmarks.endurance.load.spoiled import spoil_grpc
from benchmarks.endurance.tally import Attempt, End, Kind


class GRPCClient:
    """Sends questions over one channel."""

    def __init__(self, target: str, model: str) -> None:
        self._target = target
        self._model = model
        self._channel = channel(target)

    async def attempt(self, question: Question, attempt: Attempt, rng: np.random.Generator) -> None:
        """Send it once, and note what became of it."""
        message = grpc_message(question, self._model)
        if attempt.kind is Kind.MALFORMED:
            message, attempt.wanted_code = spoil_grpc(question, self._model)
        sending = asyncio.ensure_future(self._call(question, attempt, message))
        if attempt.kind is Kind.CANCELLED:
            await asyncio.wait((sending,), timeout=rng.exponential(0.03))
            sending.cancel()
        try:
            await sending
        except asyncio.CancelledError:
            if attempt.kind is not Kind.CANCELLED:
                raise
            attempt.end = End.LEFT
        except grpc.aio.AioRpcError as error:
            _note(error, attempt)

    async def _call(self, question: Question, attempt: Attempt, message: bytes) -> None:
        metadata = (("x-request-id", request_id(question)),)
        call = unary(self._channel, method_of(question.form))(message, metadata=metadata)
        attempt.written = time.monotonic()
        try:
            answer = await call
            ids = [value for key, value in await call.trailing_metadata() if key == "x-request-id"]
        finally:
            call.cancel()  # of no effect once it is done
        try:
            attempt.end, attempt.rows = End.ANSWERED, message_rows(question.form, answer)
        except Unreadable as error:
            attempt.end, attempt.wrong = End.GARBLED, str(error)
        if ids != [request_id(question)]:
            attempt.wrong = "the id of another request"

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _note(error: grpc.aio.AioRpcError, attempt: Attempt) -> None:
    """A call that ended with a status: a refusal of the service carries its code, gRPC's own does not."""
    code = trailing(error, ERROR_CODE)
    if code is not None:
        attempt.end, attempt.code = End.REFUSED, code
    elif error.code() is grpc.StatusCode.UNAVAILABLE:
        attempt.end = End.UNCONNECTED if never_sent(error) else End.UNANSWERED
    else:
        attempt.end, attempt.code = End.REFUSED, f"gRPC {error.code().name}"
