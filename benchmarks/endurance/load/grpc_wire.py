"""gRPC calls whose messages are bytes, right or wrong."""

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Bytes: TypeAlias = Callable[..., Any]
ERROR_CODE = "semsim-error-code"
RETRY_AFTER = "retry-after"

# Without these a client that met a closed port would wait for up to two minutes before it comes again.
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A connection of its own, not one shared with other channels to the same address.
    ("grpc.use_local_subchannel_pool", 1),
]


def channel(target: str) -> grpc.aio.Channel:
    """A channel with a connection of its own."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)


def unary(to: grpc.aio.Channel, method: str) -> Bytes:
    """A method with one message and one answer, both bytes."""
    call: Bytes = to.unary_unary(method)
    return call


def stream(to: grpc.aio.Channel, method: str) -> Bytes:
    """A method with many of both."""
    call: Bytes = to.stream_stream(method)
    return call


def trailing(error: Any, key: str) -> str | None:
    """A value of an error's trailing metadata."""
    for name, value in error.trailing_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def never_sent(error: grpc.aio.AioRpcError) -> bool:
    """Whether a call failed because its channel had no connection, and could not get one."""
    return "failed to connect" in (error.details() or "").lower()
