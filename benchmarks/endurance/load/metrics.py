"""What the service counted, from ``GET /metrics``."""

from collections import Counter
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.endurance.load.running import HOST

_GAUGES = ("semsim_queue_pairs", "semsim_queue_bytes")


@dataclass(frozen=True, slots=True)
class Counted:
    """Totals at one moment."""

    requests: Counter[tuple[str, str]]
    """By transport and code."""
    pairs: Counter[str]
    """By code."""
    queue_pairs: float
    queue_bytes: float

    def since(self, before: "Counted") -> "Counted":
        """What was counted after another moment."""
        return Counted(
            self.requests - before.requests,
            self.pairs - before.pairs,
            self.queue_pairs,
            self.queue_bytes,
        )


NOTHING = Counted(Counter(), Counter(), 0.0, 0.0)


def scrape(http_port: int) -> Counted:
    """Ask for them.

    Raises:
        OSError: the service does not answer, or not with its counters.
    """
    connection = HTTPConnection(HOST, http_port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
    except HTTPException as error:
        raise OSError(f"expected an answer to GET /metrics, got {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"expected 200 from GET /metrics, got {answer.status}")
    return read_metrics(text)


def read_metrics(text: str) -> Counted:
    """Totals from the text of ``/metrics``.

    Raises:
        OSError: a gauge of the queue is not there.
    """
    requests: Counter[tuple[str, str]] = Counter()
    pairs: Counter[str] = Counter()
    queue: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name == "semsim_requests_total":
                requests[labels["transport"], labels["code"]] += value
            elif sample.name == "semsim_pairs_total":
                pairs[labels["code"]] += value
            elif sample.name in _GAUGES:
                queue[sample.name] = queue.get(sample.name, 0.0) + sample.value
    if missing := [name for name in _GAUGES if name not in queue]:
        raise OSError(f"expected {', '.join(missing)} in /metrics, got none")
    return Counted(requests, pairs, *(queue[name] for name in _GAUGES))
