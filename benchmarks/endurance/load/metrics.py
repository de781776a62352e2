"""What the service counted, from ``GET /metrics``."""

from collections import Counter
from dataclasses import dataclass
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.endurance.load.running import HOST


@dataclass(frozen=True, slots=True)
class Counted:
    """Totals at one moment."""

    requests: Counter[tuple[str, str]]
    """By transport and code."""
    pairs: Counter[str]
    """By code."""
    rejected: Counter[str]
    """By reason."""
    queue_pairs: float
    queue_bytes: float

    def since(self, before: "Counted") -> "Counted":
        """What was counted after another moment."""
        return Counted(
            self.requests - before.requests,
            self.pairs - before.pairs,
            self.rejected - before.rejected,
            self.queue_pairs,
            self.queue_bytes,
        )


NOTHING = Counted(Counter(), Counter(), Counter(), 0.0, 0.0)


def scrape(http_port: int) -> Counted:
    """Ask for them.

    Raises:
        OSError: the service does not answer.
    """
    connection = HTTPConnection(HOST, http_port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return read_metrics(text)


def read_metrics(text: str) -> Counted:
    """Totals from the text of ``/metrics``."""
    counted = Counted(Counter(), Counter(), Counter(), 0.0, 0.0)
    queue = {"semsim_queue_pairs": 0.0, "semsim_queue_bytes": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name == "semsim_requests_total":
                counted.requests[labels["transport"], labels["code"]] += value
            elif sample.name == "semsim_pairs_total":
                counted.pairs[labels["code"]] += value
            elif sample.name == "semsim_rejected_total":
                counted.rejected[labels["reason"]] += value
            elif sample.name in queue:
                queue[sample.name] += sample.value
    return Counted(counted.requests, counted.pairs, counted.rejected, *queue.values())
