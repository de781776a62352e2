"""gRPC's side of a call: its messages, its deadline, and its errors, each a status with the stable code beside it."""

import asyncio
from typing import NoReturn

import grpc

from semsim.exceptions import ErrorCode, Overloaded, RequestError
from semsim_service.grpc_transport.calls.caller import Caller, Context

_STATUS = {
    ErrorCode.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.TOO_MANY_PAIRS: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.BODY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorCode.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorCode.NOT_READY: grpc.StatusCode.UNAVAILABLE,
    ErrorCode.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.CANCELLED: grpc.StatusCode.CANCELLED,
}

# The service answers so much before a deadline, so that the answer is there in time and counts as a timeout.
_ANSWER_SECONDS = 0.02
_ANSWER_SHARE = 0.05

UNEXPECTED = "unexpected error; the service's log has the details"


def status_of(code: ErrorCode) -> grpc.StatusCode:
    """The status of an error's code: INTERNAL for a fault of the service."""
    return _STATUS.get(code, grpc.StatusCode.INTERNAL)


def metadata_of(request_id: str, code: ErrorCode, error: RequestError | None = None) -> tuple[tuple[str, str], ...]:
    """The trailing metadata of an error of a request."""
    metadata = (("x-request-id", request_id), ("semsim-error-code", code.value))
    return (*metadata, ("retry-after", str(error.retry_after))) if isinstance(error, Overloaded) else metadata


def without_frames(error: RequestError) -> RequestError:
    """The error without its traceback. gRPC keeps the error of a call, and its frames would keep the message."""
    error.__context__ = None
    return error.with_traceback(None)


async def refuse(context: Context, caller: Caller, error: RequestError) -> NoReturn:
    """End a call with the error. Does not return."""
    await _end(context, status_of(error.code), str(error), metadata_of(caller.request_id, error.code, error))


async def fail(context: Context, caller: Caller) -> NoReturn:
    """End a call that met a fault of the service. The client is told nothing about the fault. Does not return."""
    await _end(context, grpc.StatusCode.INTERNAL, UNEXPECTED, metadata_of(caller.request_id, ErrorCode.INTERNAL))


async def _end(
    context: Context, status: grpc.StatusCode, message: str, metadata: tuple[tuple[str, str], ...]
) -> NoReturn:
    try:
        await context.abort(status, message, metadata)
    except grpc.aio.InternalError:
        # The client is gone, or its deadline has passed: gRPC would log a trace.
        raise asyncio.CancelledError from None


async def read_message(context: Context) -> bytes | None:
    """The call's next message, or None where there is none that gRPC would take."""
    message: object = await context.read()
    return message if isinstance(message, bytes) else None


def seconds_left(context: Context) -> float | None:
    """Seconds for which a call's client still wants an answer. None = the client has no deadline."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None else remaining - min(_ANSWER_SECONDS, _ANSWER_SHARE * remaining)
