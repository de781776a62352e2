"""LPIPS of a live service, over HTTP and gRPC and in the clients."""

from pathlib import Path

import pytest

from semsim import Scorer
from semsim.client import GrpcClient, RemoteScorer
from semsim_export.lpips_export import export_lpips
from tests.conftest import CPU
from tests.encoded import encode, picture
from tests.semsim.commands.conftest import Semsim, semsim
from tests.service.live import CLIENT, LiveService, base64_pair, serving
from tests.training.reference_metrics.weights import random_weights

__all__ = ["semsim"]
pytestmark = pytest.mark.slow


def test_a_service_gives_lpips_and_tells_so(
    semsim: Semsim, service: LiveService, tmp_path: Path, calibrated_artifact: Path
) -> None:
    """Each answer has the scorer's LPIPS; GET /model, both clients and score-dir tell that it is on."""
    manifest = export_lpips(random_weights(tmp_path / "weights.safetensors"), tmp_path / "lpips")
    pair = picture(40, 52, seed=1), picture(40, 52, seed=2)
    expected = Scorer(calibrated_artifact, providers=CPU, lpips=tmp_path / "lpips").score(*pair).lpips
    folders = tmp_path / "originals", tmp_path / "reconstructions"
    for folder, image in zip(folders, pair, strict=True):
        folder.mkdir()
        (folder / "a.png").write_bytes(encode(image))
    told = {"name": manifest.name, "version": manifest.version, "sha256": manifest.graph.sha256}
    options = {"SEMSIM_ARTIFACT": str(calibrated_artifact), "SEMSIM_LPIPS": str(tmp_path / "lpips")}
    with serving(tmp_path / "home", **options) as live:
        small = encode(picture(30, 64, seed=4))
        results = live.post([base64_pair(*map(encode, pair)), base64_pair(small, small)]).json()["results"]
        assert [one["lpips"] for one in results] == [pytest.approx(expected, abs=1e-6), None]
        assert CLIENT.get(f"{live.url}/model").json()["lpips"] == told
        with RemoteScorer(live.url) as scorer, GrpcClient(f"http://{live.grpc}") as client:
            assert scorer.service.lpips is not None
            assert scorer.service.lpips.model_dump() == told
            assert client.model().lpips == scorer.service.lpips
        shown = semsim("score-dir", *folders, "--url", live.url)
        assert f"lpips: mean {expected:.4f} of 1 pairs" in shown.stdout
    assert CLIENT.get(f"{service.url}/model").json()["lpips"] is None
    shown = semsim("score-dir", *folders, "--url", service.url)
    assert (shown.returncode, "lpips" in shown.stdout) == (0, False)
