"""What a caller says beside its message."""

from collections.abc import Iterable
from dataclasses import dataclass

from semsim_service.core.call import accept_request_id


@dataclass(frozen=True, slots=True)
class Caller:
    """The metadata of a call that matters here."""

    request_id: str
    """The caller's own, or a new one."""
    authorization: str | None
    traceparent: str | None


def read_caller(metadata: Iterable[tuple[str, str | bytes]] | None) -> Caller:
    """The caller of a call with ``metadata``, whose keys gRPC has made lower case."""
    # Values are bytes where a key ends in -bin: none of these.
    found = {key: value for key, value in metadata or () if isinstance(value, str)}
    return Caller(accept_request_id(found.get("x-request-id")), found.get("authorization"), found.get("traceparent"))
