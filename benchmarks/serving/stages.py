"""Where a request's time goes, from the service's metrics before and after a load."""

from enum import StrEnum

from benchmarks.harness.metrics import Metrics


class Stage(StrEnum):
    """A part of a request's time, and its name in the table."""

    DECODE = "decoding, resizing, pixel metrics"
    QUEUE = "waiting"
    INFERENCE = "in the network's batches"
    REST = "all else"
    """Reading the body, the answer, and waiting for the event loop."""


def stages(before: Metrics, after: Metrics, transport: str) -> dict[Stage, float]:
    """Mean seconds of a request in each stage, over the requests of one transport that came between."""

    def passed(name: str, **labels: str) -> float:
        return after.total(f"semsim_{name}", **labels) - before.total(f"semsim_{name}", **labels)

    count = max(1.0, passed("request_seconds_count", transport=transport))
    known = {
        stage: passed(f"{stage.name.lower()}_seconds_sum") / count
        for stage in (Stage.DECODE, Stage.QUEUE, Stage.INFERENCE)
    }
    whole = passed("request_seconds_sum", transport=transport) / count
    return known | {Stage.REST: whole - sum(known.values())}
