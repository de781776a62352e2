"""The bound on the queue: the pairs and bytes of all requests together, checked before anything is decoded."""

import math
import threading
import time

from semsim.exceptions import Overloaded
from semsim_service.core.metrics import Rejection, ServiceMetrics
from semsim_service.settings import QueueLimits

# The rate of answers is averaged over this many seconds.
_RATE_SECONDS = 5.0
_LONGEST_RETRY = 30


class _SentAway:
    """Counts the pairs that were refused and told to come again: a ring of counts, one for each second."""

    def __init__(self) -> None:
        self._coming = [0.0] * (_LONGEST_RETRY + 2)
        self._now = 0

    def add(self, now: float, seconds: int, pairs: float) -> None:
        """Count ``pairs`` that come again in so many seconds."""
        self._advance(now)
        self._coming[(self._now + seconds) % len(self._coming)] += pairs

    def pairs(self, now: float) -> float:
        """The pairs that are not due yet."""
        self._advance(now)
        return sum(self._coming)

    def _advance(self, now: float) -> None:
        passed = min(int(now) - self._now, len(self._coming))
        for second in range(passed):
            self._coming[(int(now) - second) % len(self._coming)] = 0.0
        self._now = int(now)


class Admission:
    """Counts the requests that are admitted and not yet answered. Safe to share between threads."""

    def __init__(self, limits: QueueLimits, metrics: ServiceMetrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._lock = threading.Lock()
        self._pairs = 0
        self._bytes = 0
        self._sent_away = _SentAway()
        self._pairs_rate, self._requests_rate = 0.0, 0.0
        self._rated = time.monotonic()

    @property
    def is_full(self) -> bool:
        """True where there is no room for any pair."""
        return self._pairs >= self._limits.pairs

    def reserve(self, pairs: int, size: int) -> None:
        """Admit a request of ``pairs`` pairs and ``size`` bytes.

        Raises:
            Overloaded: the queue has no room for them, or none at all.
        """
        with self._lock:
            full_pairs = self._pairs + pairs > self._limits.pairs or self._pairs >= self._limits.pairs
            full_bytes = self._bytes + size > self._limits.bytes
            if not (full_pairs or full_bytes):
                self._add(pairs, size)
                return
            retry_after = self._retry_after(pairs)
            if full_pairs:
                reason, limit, got = Rejection.QUEUE_PAIRS, f"{self._limits.pairs} pairs", f"{self._pairs} waiting"
            else:
                reason, limit, got = Rejection.QUEUE_BYTES, f"{self._limits.bytes} bytes", f"{self._bytes} waiting"
        self._metrics.rejected.labels(reason).inc()
        raise Overloaded(f"expected room in a queue of {limit}, got {got}; retry in {retry_after} s", retry_after)

    def release(self, pairs: int, size: int) -> None:
        """Give back the room that one request had reserved."""
        with self._lock:
            if pairs:
                now = time.monotonic()
                kept = math.exp((self._rated - now) / _RATE_SECONDS)
                self._pairs_rate = self._pairs_rate * kept + pairs / _RATE_SECONDS
                self._requests_rate = self._requests_rate * kept + 1 / _RATE_SECONDS
                self._rated = now
            self._add(-pairs, -size)

    def _add(self, pairs: int, size: int) -> None:
        self._pairs += pairs
        self._bytes += size

    def observe(self) -> None:
        """Set the gauges. Setting them at each change would cost more than the change itself."""
        self._metrics.queue_pairs.set(self._pairs)
        self._metrics.queue_bytes.set(self._bytes)

    def _retry_after(self, pairs: int) -> int:
        """Seconds until all pairs are answered that wait or were sent away before, at the rate of the last seconds.

        If those sent away were not counted, all of them would come again when there is room for a few, and refusing
        them again would take the time that answers need. A request refused before its pairs are known counts as a mean
        request.
        """
        now = time.monotonic()
        rate = self._pairs_rate * math.exp((self._rated - now) / _RATE_SECONDS)
        mean = self._pairs_rate / self._requests_rate if self._requests_rate > 0 else 1.0
        ahead = self._pairs + self._sent_away.pairs(now)
        seconds = 1 if rate <= 0 else min(_LONGEST_RETRY, max(1, math.ceil(ahead / rate)))
        self._sent_away.add(now, seconds, pairs or mean)
        return seconds
