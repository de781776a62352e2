"""The method ``ScoreStream``: many requests over one call, several of them at once."""

import asyncio
import logging
from contextlib import suppress

import grpc

from semsim.exceptions import ErrorCode, RequestError
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.call import Transport
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.calls.caller import Caller, Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import (
    UNEXPECTED,
    fail,
    refuse,
    seconds_left,
    without_frames,
)
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.grpc_transport.calls.unary import check_size
from semsim_service.grpc_transport.calls.wire import AT_ONCE_BYTES, parse
from semsim_service.grpc_transport.semsim_v1.score_request import claim_of, read_request
from semsim_service.grpc_transport.semsim_v1.score_response import refused_message, stream_message

logger = logging.getLogger("semsim.service")

IN_FLIGHT = 8
"""The number of requests of one stream that are worked on at once. The next is read when one of them is answered."""


def score_stream(core: ScoringCore, drain: Drain, strangers: Strangers, method: str) -> Handler:
    """The handler of ``method``, a path."""

    async def handle(_: object, context: Context) -> None:
        caller = read_caller(context, method)
        context.set_trailing_metadata((("x-request-id", caller.request_id),))
        try:
            core.authenticate(Transport.GRPC, caller.request_id, caller.authorization, caller.source)
            try:
                caller.check()
                drain.check_open()
                await _ScoreStream(core, drain, strangers, context, caller).run()
            except RequestError as error:  # counted, logged and traced as the error of a request
                async with core.request(
                    Transport.GRPC,
                    request_id=caller.request_id,
                    authorization=caller.authorization,
                    traceparent=caller.traceparent,
                    source=caller.source,
                ):
                    raise without_frames(error) from None
        except RequestError as error:
            await refuse(context, caller, error)
        except Exception:
            # The trace goes to the log, never to the client; it holds no request data.
            logger.exception("unexpected error in a gRPC stream", extra={"request_id": caller.request_id})
            await fail(context, caller)

    return grpc.stream_stream_rpc_method_handler(handle)


class _ScoreStream:
    def __init__(self, core: ScoringCore, drain: Drain, strangers: Strangers, context: Context, caller: Caller) -> None:
        self._core = core
        self._drain = drain
        self._strangers = strangers
        self._context = context
        self._caller = caller
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        # gRPC sends one message of a call at a time.
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Answer every request of the stream.

        Raises:
            RequestError: the reason why no more requests are read. It is raised once those read are answered.
        """
        async with asyncio.TaskGroup() as answers:
            reader = asyncio.create_task(self._read(answers))
            try:
                with self._drain.open_stream(reader.cancel):
                    await asyncio.wait((reader,))
            finally:
                reader.cancel()
        if reader.cancelled():
            self._drain.check_open()
        reader.result()

    async def _read(self, answers: asyncio.TaskGroup) -> None:
        while True:
            await self._slots.acquire()
            message = await self._strangers.read_known(self._context)
            if message is None:
                return
            # From here on the request will be answered, even if a stop cancels the reader. The reader waits until it is
            # parsed, so that requests are parsed one at a time.
            self._drain.begin()
            parsed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            answers.create_task(self._answer(message, parsed)).add_done_callback(self._drain.end)
            del message
            await parsed

    async def _parse(self, message: bytes) -> pb.ScoreStreamRequest:
        if len(message) <= AT_ONCE_BYTES:
            return parse(pb.ScoreStreamRequest, message, self._core.limits)
        return await asyncio.to_thread(parse, pb.ScoreStreamRequest, message, self._core.limits)

    async def _answer(self, message: bytes, parsed: "asyncio.Future[None]") -> None:
        """Answer a message. If it cannot be parsed, ``parsed`` gets the error."""
        size = len(message)
        try:
            request = await self._parse(message)
        except RequestError as error:
            if not parsed.done():  # a stop cancels it
                parsed.set_exception(without_frames(error))
            return
        del message
        if not parsed.done():
            parsed.set_result(None)
        try:
            answer = await self._score(request, size)
            async with self._sending:
                with suppress(grpc.aio.InternalError):  # the client is gone: gRPC is about to cancel the call
                    await self._context.write(answer.SerializeToString())
        finally:
            self._slots.release()

    async def _score(self, request: pb.ScoreStreamRequest, size: int) -> pb.ScoreStreamResponse:
        sequence, core = request.sequence, self._core
        request_id = f"{self._caller.request_id}-{sequence}"
        try:
            async with core.request(
                Transport.GRPC,
                request_id=request_id,
                authorization=self._caller.authorization,
                traceparent=self._caller.traceparent,
                seconds=seconds_left(self._context),
                source=self._caller.source,
            ) as call:
                check_size(size, core.limits)
                call.reserve_bytes(size)
                claim = claim_of(request.request)
                answer = await core.score(call, lambda: read_request(request.request, core.limits), claim)
            return stream_message(sequence, answer, call.timings)
        except RequestError as error:
            return refused_message(sequence, error)
        except Exception:
            logger.exception("unexpected error in a gRPC stream", extra={"request_id": request_id})
            return pb.ScoreStreamResponse(
                sequence=sequence, error=pb.Error(code=ErrorCode.INTERNAL.value, message=UNEXPECTED)
            )
