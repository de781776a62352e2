"""The bound on what waits: pairs and bytes of all requests together, refused before anything is decoded."""

import math
import threading
import time

from semsim.exceptions import Overloaded
from service.metrics import Rejection, ServiceMetrics
from service.settings import QueueLimits

# Over this many seconds the rate of answers is averaged.
_RATE_SECONDS = 5.0
_LONGEST_RETRY = 30


class Admission:
    """Counts what is admitted and not yet answered. Safe to share between threads."""

    def __init__(self, limits: QueueLimits, metrics: ServiceMetrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._lock = threading.Lock()
        self._pairs = 0
        self._bytes = 0
        self._rate = 0.0
        self._rated = time.monotonic()

    def reserve(self, pairs: int, size: int) -> None:
        """Admit ``pairs`` and ``size`` bytes more.

        Raises:
            Overloaded: the queue has no room for them, or none at all.
        """
        with self._lock:
            full_pairs = self._pairs + pairs > self._limits.pairs or self._pairs >= self._limits.pairs
            full_bytes = self._bytes + size > self._limits.bytes
            if not (full_pairs or full_bytes):
                self._add(pairs, size)
                return
            retry_after = self._retry_after()
            if full_pairs:
                reason, limit, got = Rejection.QUEUE_PAIRS, f"{self._limits.pairs} pairs", f"{self._pairs} waiting"
            else:
                reason, limit, got = Rejection.QUEUE_BYTES, f"{self._limits.bytes} bytes", f"{self._bytes} waiting"
        self._metrics.rejected.labels(reason).inc()
        raise Overloaded(f"expected room in a queue of {limit}, got {got}; retry in {retry_after} s", retry_after)

    def release(self, pairs: int, size: int) -> None:
        """Give back what one request had reserved."""
        with self._lock:
            now = time.monotonic()
            self._rate = self._rate * math.exp((self._rated - now) / _RATE_SECONDS) + pairs / _RATE_SECONDS
            self._rated = now
            self._add(-pairs, -size)

    def _add(self, pairs: int, size: int) -> None:
        self._pairs += pairs
        self._bytes += size

    def observe(self) -> None:
        """Set the gauges: not at each change, because that would cost more than the change."""
        self._metrics.queue_pairs.set(self._pairs)
        self._metrics.queue_bytes.set(self._bytes)

    def _retry_after(self) -> int:
        """Seconds until what waits now is answered, at the rate of the last seconds."""
        if self._rate <= 0:
            return 1
        return min(_LONGEST_RETRY, max(1, math.ceil(self._pairs / self._rate)))
