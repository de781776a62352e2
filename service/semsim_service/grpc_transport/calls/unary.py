"""The handler of a call with one message and one answer, at the edge of the process."""

import logging
from collections.abc import Awaitable, Callable

import grpc
from google.protobuf.message import Message

from semsim.exceptions import BodyTooLarge, InvalidRequest, RequestError
from semsim_service.core.call import Call, Transport
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.calls.caller import Caller, Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import (
    fail,
    refuse,
    seconds_left,
    without_frames,
)
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.settings import Limits

logger = logging.getLogger("semsim.service")

Answer = Callable[[Call, bytes], Awaitable[Message]]
"""Makes the answer to one message, which comes as bytes."""


def unary(core: ScoringCore, drain: Drain, strangers: Strangers, method: str, answer: Answer) -> Handler:
    """The handler of ``method``, a path. The core authenticates, times and counts its calls, and errors become gRPC's.

    gRPC takes it for the handler of a stream. So it can read the message itself, after its caller is authenticated, and
    the stream's window bounds the bytes in memory until then.
    """

    async def handle(_: object, context: Context) -> bytes:
        drain.begin()
        context.add_done_callback(drain.end)  # type: ignore[arg-type]  # no function fits its stub
        caller = read_caller(context, method)
        outcome = await answered(caller, context)
        if isinstance(outcome, RequestError):
            await refuse(context, caller, outcome)
        if outcome is None:
            await fail(context, caller)
        return outcome

    async def answered(caller: Caller, context: Context) -> bytes | RequestError | None:
        """The answer, or the error of a refused call, or None after a fault of the service."""
        try:
            async with core.request(
                Transport.GRPC,
                request_id=caller.request_id,
                authorization=caller.authorization,
                traceparent=caller.traceparent,
                seconds=seconds_left(context),
                source=caller.source,
            ) as call:
                caller.check()
                drain.check_open()
                message = await strangers.read_known(context)
                if message is None:
                    raise InvalidRequest("expected a message, got none that could be received")
                check_size(len(message), core.limits)
                call.reserve_bytes(len(message))
                answer_message = await answer(call, message)
        except RequestError as error:
            return without_frames(error)
        except Exception:
            # The trace goes to the log, never to the client. It holds no request data.
            logger.exception("unexpected error in a gRPC call", extra={"request_id": caller.request_id})
            return None
        context.set_trailing_metadata(
            (("x-request-id", caller.request_id), ("server-timing", call.timings.server_timing()))
        )
        return answer_message.SerializeToString()

    return grpc.stream_unary_rpc_method_handler(handle)


def check_size(size: int, limits: Limits) -> None:
    """Refuse a message over the limit, with a code. gRPC refuses one far over it before it is read, without a code.

    Raises:
        BodyTooLarge: the message is over the limit.
    """
    if size > limits.body_bytes:
        raise BodyTooLarge(f"expected a message of at most {limits.body_bytes} bytes, got {size}")
