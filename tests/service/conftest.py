"""Fixtures of the service's tests: the metrics, which a process can register only once, and a guarded service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from semsim_service.core.metrics import ServiceMetrics
from tests.service.guarded import Guarded, guarding


@pytest.fixture(scope="session")
def metrics() -> ServiceMetrics:
    """The process's metrics."""
    return ServiceMetrics()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[Guarded]:
    """Two workers of a small model behind mutual TLS and a token, with request log and traces, by `semsim serve`."""
    with guarding(tmp_path_factory.mktemp("guarded"), calibrated_artifact) as service:
        yield service
