"""The calls that need room in the queue, refused by their headers while it has none."""

from collections.abc import Callable, Collection, Sequence

from semsim_service.core.call import Source, Transport, accept_request_id
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.calls.context import metadata_of, status_of
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.gate.early_refusals import Trailers

_ONCE = (":path", "authorization", "x-request-id", "traceparent")


class CallsForScores:
    """Refuses the calls of ``methods``, paths, as their handlers would."""

    def __init__(self, core: ScoringCore, drain: Drain, methods: Collection[str]) -> None:
        self._core = core
        self._drain = drain
        self._methods = frozenset(methods)

    @property
    def is_full(self) -> bool:
        """True where the queue has no room, and no stop has begun, which is told otherwise."""
        return self._core.queue_is_full and self._drain.is_open

    def refuse(self, headers: Sequence[tuple[str, str]], source: Callable[[str], Source]) -> Trailers | None:
        """The trailing metadata of a refusal; None for a call that its handler must see."""
        said = [name for name, _ in headers if name in _ONCE]
        texts = dict(headers)
        method = texts.get(":path", "")
        if method not in self._methods or len(said) != len(set(said)):
            return None
        request_id = accept_request_id(texts.get("x-request-id"))
        error = self._core.refuse_unread(
            Transport.GRPC,
            request_id,
            authorization=texts.get("authorization"),
            traceparent=texts.get("traceparent"),
            source=lambda: source(method),
        )
        if error is None:
            return None
        status = str(status_of(error.code).value[0])
        head = (("content-type", "application/grpc"), ("grpc-status", status), ("grpc-message", str(error)))
        return *head, *metadata_of(request_id, error.code, error)
