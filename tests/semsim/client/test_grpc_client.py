"""The client over gRPC gives what the local scorer gives, for every kind of image."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semsim import PairFailure, Scorer
from semsim.client import AsyncGrpcClient, Client, GrpcClient
from semsim.exceptions import EmptyImage, ErrorCode, InvalidOption, InvalidPair
from tests.conftest import IMAGES
from tests.encoded import encode, picture
from tests.semsim.client.conftest import Expected, same
from tests.semsim.client.faulty_grpc import FaultyCalls
from tests.service.live import LiveService

CAT, NOISE, SMALL = IMAGES / "cat.jpg", IMAGES / "cat_noise.png", IMAGES / "cat_32.png"


def test_many_arrays_come_back_in_order(service: LiveService, expected: Expected) -> None:
    """Four chunks under way at once, by several clients of one process."""
    with GrpcClient(f"http://{service.grpc}") as client, GrpcClient(f"http://{service.grpc}") as other:
        same(client.score_pairs(expected.pairs), expected.outcomes)
        same(other.score_pairs(expected.pairs[:3]), expected.outcomes[:3])
        same(client.score_pairs(iter([])), [])

    async def several() -> list[Any]:
        async with AsyncGrpcClient(f"http://{service.grpc}") as client:
            return await asyncio.gather(client.score_pairs(expected.pairs), client.score_pairs(expected.pairs[:3]))

    all_of_them, three = asyncio.run(several())
    same(all_of_them, expected.outcomes)
    same(three, expected.outcomes[:3])


def test_every_kind_of_image_gives_the_local_numbers(service: LiveService, bundled: Scorer) -> None:
    """Paths, files, images of Pillow and arrays of several sizes in one request, and one pair of equal images."""
    pairs: list[Any] = [
        (CAT, NOISE), (str(CAT), NOISE.read_bytes()), (CAT, np.asarray(Image.open(SMALL).convert("RGB"))),
        (Image.open(SMALL), SMALL), (picture(), picture(40, 40, 1)), (picture(), picture()),
    ]  # fmt: skip
    local = [(one, SMALL) if one is CAT and isinstance(other, np.ndarray) else (one, other) for one, other in pairs[:3]]
    local += [(SMALL, SMALL), *pairs[4:]]
    with GrpcClient(f"http://{service.grpc}") as client:
        same(client.score_pairs(pairs), bundled.score_pairs(local))


def test_pairs_that_cannot_be_scored_fail_alone(service: LiveService, bundled: Scorer, tmp_path: Path) -> None:
    """The local failures, at their own places, whether the image is checked here or by the service."""
    good = (picture(), picture(seed=1))
    torn = encode(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))[:-500]
    pairs: list[Any] = [
        good, (tmp_path / "none.png", picture()), (torn, picture()), "ab", (picture(3, 3), picture()),
        (picture().astype(np.float32), picture()), (picture(64, 64), picture(20, 64)), good,
    ]  # fmt: skip
    with GrpcClient(f"http://{service.grpc}") as client:
        same(client.score_pairs(pairs), bundled.score_pairs(pairs))
        same([client.score(CAT, NOISE)], [bundled.score(CAT, NOISE)])
        with pytest.raises(EmptyImage):
            client.score(b"", CAT)
        with pytest.raises(InvalidPair):
            client.score_pairs("ab")  # type: ignore[arg-type]


def test_the_model_is_that_of_http(service: LiveService) -> None:
    """The manifest, the limits and the version, word for word."""
    with GrpcClient(f"http://{service.grpc}") as client, Client(service.url) as other:
        assert client.model() == other.model()


def test_one_original_with_many_reconstructions_is_sent_once(calls: FaultyCalls, bundled: Scorer) -> None:
    """As a tensor of one image, and beside files, too; reconstructions may be of another size than the original."""
    original, reconstructions = picture(32, 32), [picture(24, 24, seed) for seed in range(1, 6)]
    large = [encode(picture(300, 300, seed)) for seed in range(4)]
    with GrpcClient(calls.url) as client:
        for pairs in ([(original, one) for one in reconstructions], [(large[0], one) for one in large]):
            same(client.score_pairs(pairs), bundled.score_pairs(pairs))
    raw, files = (message.request for message in calls.messages)
    assert (raw.batch.originals.count, raw.batch.reconstructions.count, len(raw.pairs)) == (1, 5, 0)
    assert raw.batch.originals.pixels == original.tobytes()
    assert files.original.encoded == large[0]
    assert [pair.reconstruction.encoded for pair in files.pairs] == large
    assert not any(pair.HasField("original") for pair in files.pairs)


def test_requests_keep_within_the_services_limits(limited_service: LiveService, calibrated_artifact: Path) -> None:
    """Three pairs, 40,000 bytes and 2,048 pixels a request: what fits alone is scored, whatever comes with it."""
    sides = [8 * (1 + seed % 4) for seed in range(20)]
    pairs = [(picture(side, side, seed), picture(side, side, seed + 1)) for seed, side in enumerate(sides)]
    with GrpcClient(f"http://{limited_service.grpc}") as client:
        outcomes = client.score_pairs([*pairs, (picture(40, 40), picture(40, 40))])
    same(outcomes[:-1], Scorer(calibrated_artifact).score_pairs(pairs))
    assert isinstance(outcomes[-1], PairFailure)
    assert outcomes[-1].code is ErrorCode.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"url": "127.0.0.1:3001"}, "http://HOST:PORT"),
        ({"url": "https://c/path"}, "of gRPC"),
        ({"url": "https://c", "ca": "pyproject.toml"}, "PEM files"),
        ({"url": "https://c", "token": "two words"}, "a token of letters"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], match: str) -> None:
    """The error names what was expected."""
    with pytest.raises(InvalidOption, match=match):
        GrpcClient(**options)


@pytest.mark.parametrize("missing", ["grpc", "google.protobuf"])
def test_without_its_packages_the_extra_is_named(missing: str) -> None:
    """The other clients are there all the same, and import neither gRPC nor protobuf."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from semsim.client import Client, GrpcClient\n"
        "from semsim.exceptions import MissingExtra\n"
        "Client('http://127.0.0.1:1').close()\n"
        "try:\n    GrpcClient('http://127.0.0.1:1')\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert missing.partition(".")[0] in shown
    assert "pip install 'semsim[grpc]'" in shown
