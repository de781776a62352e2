"""What a request says of itself is enough to refuse it."""

import asyncio
import json

import numpy as np
import pytest

from semsim import Scorer
from semsim.exceptions import Overloaded
from semsim_service.core.claim import Claim
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport import pairs, tensors
from semsim_service.http.json_body import claimed_pairs
from semsim_service.metrics import ServiceMetrics, Transport
from semsim_service.protos.inference import grpc_predict_v2_pb2 as inference
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.settings import Settings
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import raw_batch
from tests.service.live import base64_pair

PAIR = base64_pair(encode(picture()), encode(picture()))
IMAGES = np.stack([picture(seed=seed) for seed in range(3)])
_HEIGHT, _WIDTH = IMAGES.shape[1:3]
RAW = Claim(3, 3 * 2 * _HEIGHT * _WIDTH)


def test_a_full_queue_refuses_by_the_claim(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """A request whose pairs have no room is not read; one that claims less, or too many, is refused when it is."""
    settings = Settings.model_validate({"queue": {"pairs": 3}, "limits": {"pairs": 3}})
    core = ScoringCore(small_scorer, settings, metrics)
    read = []

    async def ask(claim: Claim) -> None:
        async with (
            core.request(Transport.HTTP, request_id="first") as first,
            core.request(Transport.HTTP, request_id="second") as second,
        ):
            first.reserve_pairs(2)
            await core.score(second, lambda: read.append(claim) or [None] * 2, claim)  # type: ignore[func-returns-value, list-item]

    for claim in (Claim(2), Claim(3), Claim(2, 8)):
        with pytest.raises(Overloaded):
            asyncio.run(ask(claim))
    assert not read
    less_than_it_has, more_than_allowed, nothing = Claim(1), Claim(1000), Claim(0)
    for claim in (less_than_it_has, more_than_allowed, nothing):
        with pytest.raises(Overloaded):
            asyncio.run(ask(claim))
    assert read == [less_than_it_has, more_than_allowed, nothing]
    core.close()


@pytest.mark.parametrize("spaces", [None, 2])
def test_json(spaces: int | None) -> None:
    """Pairs are counted however the body is laid out, and where the name is but a value, not."""
    assert claimed_pairs(json.dumps({"pairs": [PAIR] * 5}, indent=spaces).encode()) == 5
    assert claimed_pairs(json.dumps({"pairs": [PAIR | {"id": '"reconstruction"'}]}, indent=spaces).encode()) == 1
    assert claimed_pairs(b"{") == 0


def test_score() -> None:
    """Raw pairs claim their pixels, a single original as often as it is used; encoded ones only how many they are."""
    assert pairs.claim_of(raw_batch(IMAGES, IMAGES)) == RAW
    assert pairs.claim_of(raw_batch(IMAGES[:1], IMAGES)) == RAW
    raw = pb.Image(raw=pb.RawImage(height=_HEIGHT, width=_WIDTH, pixels=IMAGES[0].tobytes()))
    encoded = pb.Image(encoded=encode(IMAGES[0]))
    assert pairs.claim_of(pb.ScoreRequest(original=raw, pairs=[pb.Pair(reconstruction=raw)] * 3)) == RAW
    assert pairs.claim_of(pb.ScoreRequest(original=raw, pairs=[pb.Pair(reconstruction=encoded)] * 3)) == Claim(3)
    many = [pb.Pair(original=raw, reconstruction=raw)] * 100
    assert not pairs.claim_of(pb.ScoreRequest(pairs=many)).is_little
    assert pairs.claim_of(pb.ScoreRequest(pairs=many)).pairs == 100


def test_inference() -> None:
    """Tensors of pixels claim them; files, numbers and nonsense only how many pairs they are."""

    def tensor(datatype: str, *shape: int) -> inference.ModelInferRequest.InferInputTensor:
        return inference.ModelInferRequest.InferInputTensor(datatype=datatype, shape=shape)

    def claim(*inputs: inference.ModelInferRequest.InferInputTensor, raw: bool = True) -> Claim:
        contents = [b""] * len(inputs) * raw
        return tensors.claim_of(inference.ModelInferRequest(inputs=inputs, raw_input_contents=contents))

    pixels = tensor("UINT8", 3, _HEIGHT, _WIDTH, 3)
    assert claim(pixels, pixels) == RAW
    assert claim(tensor("UINT8", 1, _HEIGHT, _WIDTH, 3), pixels) == RAW
    assert claim(pixels, pixels, raw=False) == Claim(3)
    assert claim(tensor("BYTES", 3), tensor("BYTES", 3)) == Claim(3)
    assert claim() == claim(tensor("UINT8")) == Claim()
