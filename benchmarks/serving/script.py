"""What the clients of one measurement share: the next request, the clock, and what came back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# One answer in so many is kept, and checked after the measurement.
_SAMPLED = 16


@dataclass(slots=True)
class Script:
    """One measurement: warm-up until the time is over and every client has an answer, then the window."""

    requests: list[bytes]
    clients: int
    warm_up: float
    seconds: float
    at_edges: Callable[[], None] = lambda: None
    """Called when the window opens and when it closes."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, of the answers within the window."""
    sample: list[tuple[int, bytes]] = field(default_factory=list)
    """Requests by index, and their answers."""
    measured: float = 0.0
    """Seconds that the window was open."""
    over: bool = False
    _next: int = 0
    _answers: int = 0
    _unanswered: int = 0
    _began: float = field(default_factory=time.perf_counter)
    _opened: float = 0.0

    def __post_init__(self) -> None:
        self._unanswered = self.clients

    def next(self) -> int:
        """The request to send now: in turn over all clients, so that those in flight differ."""
        index = self._next
        self._next = (index + 1) % len(self.requests)
        return index

    def answered(self, index: int, sent: float, body: bytes, first: bool) -> bool:
        """Note an answer; whether its client goes on.

        Args:
            index: of the request.
            sent: when, ``time.perf_counter``.
            body: the answer.
            first: whether it is its client's first.
        """
        now = time.perf_counter()
        self._unanswered -= first
        if self._opened and not self.over:
            self.latencies.append(now - sent)
            self._answers += 1
            if self._answers % _SAMPLED == 1:
                self.sample.append((index, body))
            if now - self._opened >= self.seconds:
                self.at_edges()
                self.measured = now - self._opened
                self.over = True
        elif not self.over and self._unanswered == 0 and now - self._began >= self.warm_up:
            self.at_edges()
            self._opened = time.perf_counter()
        return not self.over
