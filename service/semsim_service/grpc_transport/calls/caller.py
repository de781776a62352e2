"""The metadata of a call that the service reads."""

from collections.abc import Iterable
from dataclasses import dataclass

from semsim_service.core.call import accept_request_id


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one call, as its metadata tell."""

    request_id: str
    """The caller's own name for the request, or a new one."""
    authorization: str | None
    traceparent: str | None


def read_caller(metadata: Iterable[tuple[str, str | bytes]] | None) -> Caller:
    """The caller of a call with ``metadata``, whose keys gRPC has made lower case."""
    # Values are bytes where a key ends in -bin, which none of these keys does.
    texts = {key: value for key, value in metadata or () if isinstance(value, str)}
    return Caller(accept_request_id(texts.get("x-request-id")), texts.get("authorization"), texts.get("traceparent"))
