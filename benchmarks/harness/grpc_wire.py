"""gRPC calls whose messages are bytes, right or wrong."""

from typing import Any

import grpc

ERROR_CODE = "semsim-error-code"
RETRY_AFTER = "retry-after"
REQUEST_ID = "x-request-id"

# Without the first three a client that met a closed port would wait for up to two minutes before it comes again.
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


def channel(target: str) -> Any:
    """An asynchronous channel with a connection of its own."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)


def trailing(error: Any, key: str) -> str | None:
    """A value of an error's trailing metadata."""
    for name, value in error.trailing_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def never_sent(error: grpc.aio.AioRpcError) -> bool:
    """True where a call failed because its channel had no connection, and could not get one."""
    return "failed to connect" in (error.details() or "").lower()
