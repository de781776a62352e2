"""Servers that the tests of gRPC share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from semsim import Scorer
from semsim_service.core.metrics import ServiceMetrics
from tests.conftest import CPU
from tests.service.grpc_transport.running import Running, running

TIGHT = {"pairs": 4, "body_bytes": 200_000, "image_bytes": 5000, "image_pixels": 4096, "request_pixels": 8192}


@pytest.fixture(scope="session")
def calibrated(calibrated_artifact: Path) -> Scorer:
    """A scorer of the small calibrated artifact."""
    return Scorer(calibrated_artifact, providers=CPU)


@pytest.fixture(scope="session")
def server(calibrated: Scorer, metrics: ServiceMetrics) -> Iterator[Running]:
    """GRPC over a small calibrated model, default settings."""
    with running(calibrated, metrics) as live:
        yield live


@pytest.fixture(scope="session")
def tight_server(small_scorer: Scorer, metrics: ServiceMetrics) -> Iterator[Running]:
    """GRPC over a model without a calibration, tight limits."""
    with running(small_scorer, metrics, limits=TIGHT) as live:
        yield live
