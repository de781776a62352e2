"""gRPC of a running service, beside HTTP."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from semsim import Scorer
from semsim.images import decode
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.conftest import IMAGES
from tests.service.grpc_transport.running import raw_batch
from tests.service.live import CLIENT, LiveService, base64_pair

CAT = (IMAGES / "cat.jpg").read_bytes()
NAMES = ("cat.jpg", "cat_blurred.png", "cat_noise.png", "coffee.jpg")
FILES = [(IMAGES / name).read_bytes() for name in NAMES]


@pytest.fixture(scope="module")
def scorer(service: LiveService) -> Iterator[ScorerStub]:
    """A client of the service with the bundled model."""
    with grpc.insecure_channel(service.grpc) as channel:
        yield ScorerStub(channel)


def test_the_numbers_are_those_of_http_and_of_the_library(
    service: LiveService, scorer: ScorerStub, bundled: Scorer
) -> None:
    """The same photographs, encoded and raw, score alike over both transports."""
    pairs = [pb.Pair(id=name, reconstruction=pb.Image(encoded=file)) for name, file in zip(NAMES, FILES, strict=True)]
    encoded = scorer.Score(pb.ScoreRequest(pairs=pairs, original=pb.Image(encoded=CAT)))
    http = service.post([base64_pair(CAT, file, name) for name, file in zip(NAMES, FILES, strict=True)]).json()
    for result, other, file in zip(encoded.results, http["results"], FILES, strict=True):
        expected = bundled.score(CAT, file)
        assert result.id == other["id"]
        for name in ("distance", "leakage", "mse", "ssim"):
            value = getattr(result.scored, name)
            assert value == pytest.approx(other[name], abs=1e-5)
            assert value == pytest.approx(getattr(expected, name), abs=1e-5)
        assert result.scored.recognizable is other["recognizable"]
        assert (result.scored.psnr if result.scored.HasField("psnr") else None) == other["psnr"]
    assert encoded.model.sha256 == http["model"]["sha256"]
    assert encoded.summary.max_leakage == pytest.approx(http["summary"]["max_leakage"])
    original, reconstruction = decode(CAT), decode(FILES[1])
    raw = scorer.Score(raw_batch(original[None], np.stack([reconstruction])))
    assert raw.results[0].scored.distance == pytest.approx(encoded.results[1].scored.distance, abs=1e-5)


def test_the_model_is_that_of_http(service: LiveService, scorer: ScorerStub) -> None:
    """GetModel and GET /model name the same limits and model."""
    model, http = scorer.GetModel(pb.GetModelRequest()), CLIENT.get(f"{service.url}/model").json()
    assert {name: getattr(model.limits, name) for name in http["limits"]} == http["limits"]
    assert model.model.sha256 == http["manifest"]["graph"]["sha256"]
    assert model.provider.active == http["provider"]["active"]
    assert model.provider.arithmetic == http["provider"]["arithmetic"] == "fp32"


def test_calls_are_counted(service: LiveService, scorer: ScorerStub) -> None:
    """/metrics tells gRPC's requests from HTTP's, by outcome."""

    def counted(code: str) -> float:
        families = text_string_to_metric_families(CLIENT.get(f"{service.url}/metrics").text)
        wanted = {"transport": "grpc", "code": code}
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value for sample in samples if sample.name == "semsim_requests_total" and sample.labels == wanted
        )

    before = {code: counted(code) for code in ("ok", "invalid_request")}
    scorer.Score(raw_batch(decode(CAT)[None], decode(CAT)[None]))
    with pytest.raises(grpc.RpcError):
        scorer.Score(pb.ScoreRequest())
    assert {code: counted(code) - count for code, count in before.items()} == {"ok": 1, "invalid_request": 1}
