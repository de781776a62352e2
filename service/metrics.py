"""Prometheus metrics with fixed labels: a client cannot add a series."""

from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from semsim.pairs import PairFailure
from semsim.scorer import PairScore
from semsim.stages import Stage, StageClock

OK = "ok"


class ServiceMetrics:
    """Made once a worker, in the service's ``__init__``: BentoML then adds up the workers."""

    def __init__(self) -> None:
        self.requests = Counter(
            "semsim_requests_total", "Scoring requests by transport and outcome.", ["transport", "code"]
        )
        self._pairs = Counter("semsim_pairs_total", "Pairs by outcome.", ["code"])
        self._seconds = Histogram(
            "semsim_stage_seconds",
            "Seconds a request spends in decode, resize, network and metrics.",
            ["stage"],
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
        )

    def observe_pairs(self, results: Sequence[PairScore | PairFailure], clock: StageClock) -> None:
        """Count one request's pairs and its time by stage."""
        for result in results:
            self._pairs.labels(result.code.value if isinstance(result, PairFailure) else OK).inc()
        for stage in Stage:
            self._seconds.labels(stage.value).observe(clock.seconds[stage])
