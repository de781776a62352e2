"""The claim of a ``semsim.v1.ScoreRequest``."""

import numpy as np

from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.claim import Claim
from semsim_service.grpc_transport.semsim_v1.score_request import claim_of
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import raw_batch

IMAGES = np.stack([picture(seed=seed) for seed in range(3)])
HEIGHT, WIDTH = IMAGES.shape[1:3]
RAW = Claim(3, 3 * 2 * HEIGHT * WIDTH)


def test_raw_pairs_claim_their_pixels() -> None:
    """A single original counts as often as it is used. Encoded pairs claim only how many they are."""
    assert claim_of(raw_batch(IMAGES, IMAGES)) == RAW
    assert claim_of(raw_batch(IMAGES[:1], IMAGES)) == RAW
    raw = pb.Image(raw=pb.RawImage(height=HEIGHT, width=WIDTH, pixels=IMAGES[0].tobytes()))
    encoded = pb.Image(encoded=encode(IMAGES[0]))
    assert claim_of(pb.ScoreRequest(original=raw, pairs=[pb.Pair(reconstruction=raw)] * 3)) == RAW
    assert claim_of(pb.ScoreRequest(original=raw, pairs=[pb.Pair(reconstruction=encoded)] * 3)) == Claim(3)
    many = [pb.Pair(original=raw, reconstruction=raw)] * 100
    assert not claim_of(pb.ScoreRequest(pairs=many)).is_little
    assert claim_of(pb.ScoreRequest(pairs=many)).pairs == 100
