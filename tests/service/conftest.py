"""What the service's tests share: metrics, which can be registered once a process only."""

import pytest

from service.metrics import ServiceMetrics


@pytest.fixture(scope="session")
def metrics() -> ServiceMetrics:
    """The process's metrics."""
    return ServiceMetrics()
