"""One request on its way through the core: who it is, how long it has, what it holds, where its time went."""

import itertools
import re
import secrets
import threading
from dataclasses import dataclass, field

from semsim.exceptions import RequestTimeout
from semsim_service.core.admission import Admission
from semsim_service.metrics import Transport

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PROCESS = secrets.token_hex(4)
_count = itertools.count(1)


def accept_request_id(given: str | None) -> str:
    """The caller's own name for a request where it has one that can be logged and echoed as it is, else a new one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """A name for a request that came without one, unlike any other's."""
    return f"{_PROCESS}-{next(_count):x}"


@dataclass(slots=True)
class Span:
    """One stage of a request, in seconds of ``time.monotonic``."""

    name: str
    begin: float
    end: float


@dataclass(slots=True)
class Timings:
    """Where a request's time went, seconds. Waiting is for a decoding thread, and then for the network."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    spans: list[Span] = field(default_factory=list)
    _waiting_since: float | None = None

    def begin_wait(self, now: float) -> None:
        """From ``now``, ``time.monotonic``, it waits."""
        self._waiting_since = now

    def end_wait(self, now: float) -> None:
        """It waits no more, if it did."""
        if self._waiting_since is not None:
            self.queue += now - self._waiting_since
            self._waiting_since = None

    def server_timing(self) -> str:
        """The value of a ``Server-Timing`` header, milliseconds."""
        return (
            f"decode;dur={self.decode * 1e3:.3f}, queue;dur={self.queue * 1e3:.3f}, "
            f"inference;dur={self.inference * 1e3:.3f}"
        )


@dataclass(slots=True)
class Call:
    """One request; made and closed by :meth:`semsim_service.core.scoring.ScoringCore.request`."""

    transport: Transport
    request_id: str
    began: float
    """Seconds of ``time.monotonic``."""
    admission: Admission
    traceparent: str | None = None
    """The trace of the caller, W3C, of which the request is a part."""
    timings: Timings = field(default_factory=Timings)
    pairs: int = 0
    failed: int = 0
    _bytes: int = 0
    _over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve_bytes(self, size: int) -> None:
        """Take room for ``size`` bytes of a body, before they are read where their number is known.

        Raises:
            Overloaded: the queue is full.
        """
        self._reserve(0, size)

    def reserve_pairs(self, pairs: int) -> None:
        """Take room for ``pairs`` in all, those that have it included, before their images are decoded.

        Raises:
            Overloaded: the queue is full.
            RequestTimeout: the request is over already: its decoding thread came too late.
        """
        self._reserve(pairs - self.pairs, 0)

    def release(self) -> None:
        """Give back all that is reserved; nothing more can be."""
        with self._lock:
            self._over = True
            self.admission.release(self.pairs, self._bytes)

    def _reserve(self, pairs: int, size: int) -> None:
        with self._lock:
            if self._over:
                raise RequestTimeout("the request is over")
            if pairs <= 0 and size == 0:
                return
            self.admission.reserve(pairs, size)
            self.pairs += pairs
            self._bytes += size
