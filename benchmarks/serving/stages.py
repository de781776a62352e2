"""Where a request's time goes, from the service's metrics before and after a load."""

import re
import urllib.request
from dataclasses import dataclass

from benchmarks.serving.cells import Format
from benchmarks.serving.contenders import Contender

NAMES = {
    "decoding, resizing, pixel metrics": "decode",
    "waiting": "queue",
    "in the network's batches": "inference",
    "all else": "rest",
}
"""What a stage is called, and its attribute of :class:`Stages`."""

_SAMPLE = re.compile(
    r"^semsim_(\w+_seconds)_(sum|count)(?:\{.*?transport=\"(\w+)\".*?\}|\{[^}]*\})? (\S+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of seconds, and requests."""

    decode: float
    queue: float
    inference: float
    request: float
    requests: float

    def __sub__(self, before: "Totals") -> "Stages":
        count = max(1.0, self.requests - before.requests)
        decode, queue, inference, request = (
            (getattr(self, name) - getattr(before, name)) / count
            for name in ("decode", "queue", "inference", "request")
        )
        return Stages(decode, queue, inference, request - decode - queue - inference)


@dataclass(frozen=True, slots=True)
class Stages:
    """Mean seconds a request."""

    decode: float
    queue: float
    inference: float
    rest: float
    """Reading the body, the answer, and waiting for the event loop."""


def read(contender: Contender) -> Totals:
    """The totals of the service so far."""
    port = contender.port - (contender.form is Format.GRPC)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return totals(answer.read().decode(), "grpc" if contender.form is Format.GRPC else "http")


def totals(metrics: str, transport: str) -> Totals:
    """The totals in Prometheus's text, of the requests of one transport."""
    found = {
        (name, kind): float(value) for name, kind, label, value in _SAMPLE.findall(metrics) if label in ("", transport)
    }
    decode, queue, inference, request = (
        found.get((f"{stage}_seconds", "sum"), 0.0) for stage in ("decode", "queue", "inference", "request")
    )
    return Totals(decode, queue, inference, request, found.get(("request_seconds", "count"), 0.0))
