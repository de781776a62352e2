"""The caller of a call: what its metadata tell that the service reads, and where it comes from."""

from dataclasses import dataclass
from typing import TypeAlias

import grpc

from semsim.exceptions import InvalidRequest
from semsim_service.core.call import Source, accept_request_id
from semsim_service.grpc_transport.gate.caller_connection import OPEN, CallerConnection

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
"""gRPC's side of one call. It leaves messages as bytes."""
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
"""gRPC's handler of one method."""

_ONCE = frozenset(("authorization",))


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one call."""

    context: Context
    method: str | None
    request_id: str
    """The caller's own name for the request, or a new one."""
    authorization: str | None
    traceparent: str | None
    repeated: bool
    """True where the metadata say twice what can be said once."""
    connection: CallerConnection | None
    """The connection that the call came over, which may have ended since. None = it ended before the call began."""

    def check(self) -> None:
        """Refuse metadata that say two things.

        Raises:
            InvalidRequest: there are two tokens, of which another reader may take the other.
        """
        if self.repeated:
            raise InvalidRequest("expected one authorization in the metadata, got several")

    def source(self) -> Source:
        """The place that the call comes from, also once its client has gone: who goes early is logged all the same."""
        if self.connection is None:
            return Source(path=self.method)
        return Source(self.connection.peer, self.connection.certificate, self.method)


def read_caller(context: Context, method: str | None = None) -> Caller:
    """The caller of a call of ``method``, a path."""
    # gRPC has made keys lower case. Values are bytes where a key ends in -bin, which none of these keys does.
    metadata = [(key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str)]
    texts = dict(metadata)
    repeated = any(sum(key == name for key, _ in metadata) > 1 for name in _ONCE)
    request_id = accept_request_id(texts.get("x-request-id"))
    given = texts.get("authorization"), texts.get("traceparent")
    return Caller(context, method, request_id, *given, repeated, OPEN.get(context.peer()))
