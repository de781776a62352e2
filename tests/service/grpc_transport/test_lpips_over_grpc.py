"""LPIPS over gRPC."""

from pathlib import Path

import pytest

from semsim import Scorer
from semsim.client import GrpcClient
from semsim_export.lpips_export import export_lpips
from semsim_service.core.metrics import ServiceMetrics
from tests.conftest import CPU
from tests.encoded import picture
from tests.service.grpc_transport.running import running
from tests.training.reference_metrics.weights import random_weights

pytestmark = pytest.mark.slow


def test_the_service_gives_it(metrics: ServiceMetrics, tmp_path: Path) -> None:
    """Through the core, each result has the scorer's LPIPS, or none where the images are too small for it."""
    export_lpips(random_weights(tmp_path / "weights.safetensors"), tmp_path / "lpips")
    scorer = Scorer(providers=CPU, lpips=tmp_path / "lpips")
    pairs = [(picture(40, 52, seed=1), picture(40, 52, seed=2)), (picture(30, 64, seed=4), picture(30, 64, seed=5))]
    with running(scorer, metrics) as server, GrpcClient(f"http://{server.address}") as client:
        results = client.score_pairs(pairs)
    assert [one.lpips for one in results] == [pytest.approx(scorer.score(*pairs[0]).lpips, abs=1e-6), None]
