"""Dashboard, alerts and autoscaling ask for metrics that a live service or an audit has."""

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from semsim.exceptions import ErrorCode
from semsim.providers import Provider
from semsim_federation.audit_metrics import AuditMetrics
from semsim_federation.leakage_report import LeakageVerdict
from semsim_service.core.call import Transport
from semsim_service.core.metrics import OK, SECONDS, EmbeddingSource, Rejection
from semsim_service.host.deaths import DeathCause
from tests.conftest import IMAGES
from tests.deploy.promql import TARGET_LABELS, Query, dashboard_queries, queries
from tests.service.live import CLIENT, LiveService, base64_pair

VALUES = {
    "code": {OK, *ErrorCode},
    "reason": set(Rejection),
    "source": set(EmbeddingSource),
    "transport": set(Transport),
    "provider": set(Provider),
    "verdict": set(LeakageVerdict),
    "cause": set(DeathCause),
    "le": {str(bound) for bound in SECONDS},
}
# A control group without a limit, and a service without TLS, show none of these.
SOMEWHERE: dict[str, set[str]] = {
    "semsim_memory_limit_bytes": set(),
    "semsim_certificate_expires_timestamp_seconds": {"file"},
}
ALL = queries()


@pytest.fixture(scope="module")
def series(service: LiveService) -> dict[str, set[str]]:
    """The metrics of a live service that has scored a pair, and those of audits, with their labels."""
    original = (IMAGES / "cat.jpg").read_bytes()
    service.post([base64_pair(original, original)])
    labels = {name: set(own) for name, own in SOMEWHERE.items()}
    shown = CLIENT.get(f"{service.url}/metrics").text + generate_latest(AuditMetrics().registry).decode()
    for family in text_string_to_metric_families(shown):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


@pytest.mark.parametrize("query", ALL, ids=[query.place for query in ALL])
def test_every_query_asks_for_what_is_there(query: Query, series: dict[str, set[str]]) -> None:
    """A query's metrics exist, with the labels that it matches and groups by, and so do the labels' values."""
    others = ("vector($queue_pairs)", 'up{job="semsim"} == 0')
    assert query.metrics or query.expression in others
    assert query.metrics <= series.keys()
    for metric, label, value in query.matchers:
        assert label in series[metric], (metric, label)
        assert value in VALUES[label], (label, value)
    known = TARGET_LABELS.union(*(series[metric] for metric in query.metrics))
    assert query.grouped <= known


def test_the_dashboard_shows_every_metric(series: dict[str, set[str]]) -> None:
    """The dashboard shows everything that the service and audits measure."""
    shown = set().union(*(query.metrics for query in dashboard_queries()))
    names = {name for name in series if name.startswith(("semsim_", "process_")) and not name.endswith("_created")}
    families = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names}
    assert families == {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in shown}
