"""One request on its way through the core: its name, the room that it holds in the queue, and where its time went."""

import itertools
import math
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from semsim.exceptions import RequestTimeout
from semsim_service.core.admission import Admission

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PROCESS = secrets.token_hex(4)
_count = itertools.count(1)


class Transport(StrEnum):
    """The way by which a request came."""

    HTTP = "http"
    GRPC = "grpc"


def accept_request_id(given: str | None) -> str:
    """The caller's own name for a request if it can be logged and echoed as it is, else a new name."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """A new name for a request, unlike the name of any other."""
    return f"{_PROCESS}-{next(_count):x}"


@dataclass(frozen=True, slots=True)
class Source:
    """The place that a request came from, for the log."""

    peer: str | None = None
    """The address and the port of the other side."""
    certificate: str | None = None
    """The name in the caller's certificate."""
    path: str | None = None
    """The path or the method that was asked for."""


@dataclass(slots=True)
class Span:
    """One stage of a request, in seconds of ``time.monotonic``."""

    name: str
    begin: float
    end: float


@dataclass(slots=True)
class Timings:
    """The seconds of a request by stage. It waits for a decoding thread, and then for the network."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    spans: list[Span] = field(default_factory=list)
    _waiting_since: float | None = None

    def begin_wait(self, now: float) -> None:
        """Count the time from ``now``, seconds of ``time.monotonic``, as waiting."""
        self._waiting_since = now

    def end_wait(self, now: float) -> None:
        """End the waiting, if the request waits."""
        if self._waiting_since is not None:
            self.queue += now - self._waiting_since
            self._waiting_since = None

    def waited(self, now: float) -> float:
        """The seconds for which the request has waited since it last began to, up to ``now``; 0 where it does not."""
        since = self._waiting_since
        return 0.0 if since is None else now - since

    def server_timing(self) -> str:
        """The value of a ``Server-Timing`` header, in milliseconds."""
        return (
            f"decode;dur={self.decode * 1e3:.3f}, queue;dur={self.queue * 1e3:.3f}, "
            f"inference;dur={self.inference * 1e3:.3f}"
        )


@dataclass(slots=True)
class Call:
    """One request. It is made and closed by :meth:`semsim_service.core.scoring.ScoringCore.request`."""

    transport: Transport
    request_id: str
    began: float
    """The time when it began, seconds of ``time.monotonic``."""
    admission: Admission
    traceparent: str | None = None
    """The caller's trace that the request is a part of, as W3C defines it."""
    deadline: float = math.inf
    """The time when nobody waits for its answer any more, seconds of ``time.monotonic``."""
    source: Callable[[], Source] = Source
    """Gives the place that it came from, as long as it is not over."""
    timings: Timings = field(default_factory=Timings)
    pairs: int = 0
    failed: int = 0
    _bytes: int = 0
    _over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bytes(self) -> int:
        """The bytes of its body."""
        return self._bytes

    def require_wanted(self) -> None:
        """Refuse to go on where the caller has its answer or has gone.

        Raises:
            RequestTimeout: the request is over.
        """
        if self._over:
            raise RequestTimeout("the request is over")

    def reserve_bytes(self, size: int) -> None:
        """Take room in the queue for ``size`` bytes of a body, before they are read where their number is known.

        Raises:
            Overloaded: the queue is full.
        """
        self._reserve(0, size)

    def reserve_pairs(self, pairs: int) -> None:
        """Take room for ``pairs`` pairs in all, before their images are decoded. Room taken before counts.

        Raises:
            Overloaded: the queue is full.
            RequestTimeout: the request is over already, and its decoding thread came too late.
        """
        self._reserve(pairs - self.pairs, 0)

    def release(self) -> None:
        """Give back all the room. No more can be taken afterwards."""
        with self._lock:
            self._over = True
            self.admission.release(self.pairs, self._bytes)

    def _reserve(self, pairs: int, size: int) -> None:
        with self._lock:
            self.require_wanted()
            if pairs <= 0 and size == 0:
                return
            self.admission.reserve(pairs, size)
            self.pairs += pairs
            self._bytes += size
