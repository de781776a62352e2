"""The service's own figures, from ``GET /metrics``."""

from collections import Counter
from dataclasses import dataclass
from http.client import HTTPException
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from benchmarks.harness.server import HOST


@dataclass(frozen=True, slots=True)
class Metrics:
    """The samples of one moment."""

    samples: list[Sample]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that carry these labels; 0 where there is none."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())

    def counts(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """A counter's samples, added up by the values of some of their labels."""
        counts: Counter[tuple[str, ...]] = Counter()
        for one in self.samples:
            if one.name == name:
                counts[tuple(one.labels[label] for label in labels)] += int(one.value)
        return counts

    def gauge(self, name: str) -> float:
        """A gauge, added up over processes. Raises OSError where it is not there, which does not mean that it is 0."""
        if all(one.name != name for one in self.samples):
            raise OSError(f"expected {name} in /metrics, got none")
        return self.total(name)


def scrape(port: int) -> Metrics:
    """Ask the service at an HTTP port. Raises OSError where it does not answer with its metrics."""
    try:
        with urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:  # an address of our own
            return read_metrics(answer.read().decode())
    except (HTTPException, ValueError) as error:
        raise OSError(f"expected metrics from GET /metrics, got {error!r}") from error


def read_metrics(text: str) -> Metrics:
    """Read the text that ``/metrics`` answers with."""
    return Metrics([one for family in text_string_to_metric_families(text) for one in family.samples])
