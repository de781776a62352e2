"""Where a request's time goes, from the service's metrics before and after a load."""

from dataclasses import dataclass

from benchmarks.harness.metrics import Metrics

_SUMS = ("decode", "queue", "inference", "request")


@dataclass(frozen=True, slots=True)
class Stages:
    """Mean seconds of a request."""

    decode: float
    """Decoding, resizing, pixel metrics."""
    queue: float
    """Waiting for a batch."""
    inference: float
    """In the network's batches."""
    rest: float
    """Reading the body, the answer, and waiting for the event loop."""


def stages(before: Metrics, after: Metrics, transport: str) -> Stages:
    """The means over the requests of one transport that came between."""

    def passed(name: str) -> float:
        # Only a request's own figures tell the transport.
        labels = {"transport": transport} if name.startswith("request") else {}
        return after.total(f"semsim_{name}", **labels) - before.total(f"semsim_{name}", **labels)

    count = max(1.0, passed("request_seconds_count"))
    decode, queue, inference, request = (passed(f"{name}_seconds_sum") / count for name in _SUMS)
    return Stages(decode, queue, inference, request - decode - queue - inference)
