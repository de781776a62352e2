"""The client gives what the local scorer gives, for every kind of image."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semsim import PairFailure, PairScore, Scorer
from semsim.client import AsyncClient, Client, RemoteScorer
from semsim.exceptions import EmptyImage, ErrorCode, InvalidArray, InvalidPair
from tests.conftest import IMAGES
from tests.encoded import encode, picture
from tests.semsim.client.conftest import Expected, same
from tests.semsim.client.faulty import FaultyProxy
from tests.service.live import LiveService

CAT, NOISE, SMALL = IMAGES / "cat.jpg", IMAGES / "cat_noise.png", IMAGES / "cat_32.png"


def kinds(path: Path) -> list[Any]:
    """One image in every form that the client takes."""
    image = Image.open(path).convert("RGB")
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy())
    encoded = path.read_bytes()
    return [path, str(path), encoded, bytearray(encoded), image, array, tensor, tensor.permute(2, 0, 1)]


@pytest.mark.parametrize("path", [NOISE, SMALL], ids=["large file", "small file"])
def test_every_kind_of_image_gives_the_local_numbers(service: LiveService, bundled: Scorer, path: Path) -> None:
    """A path, bytes, an image of Pillow, an array and tensors of both orders score alike, beside a large JPEG."""
    pairs = [(CAT, reconstruction) for reconstruction in kinds(path)]
    pairs += [(CAT.read_bytes(), SMALL), (Image.open(SMALL), np.asarray(Image.open(SMALL).convert("RGB")))]
    with Client(service.url) as client:
        outcomes = client.score_pairs(pairs)
    wanted = bundled.score_pairs([(CAT, path)] * 8 + [(CAT, SMALL), (SMALL, SMALL)])
    same(outcomes, wanted)


def test_many_arrays_come_back_in_order(service: LiveService, expected: Expected) -> None:
    """Four chunks under way at once, through both clients and the remote scorer."""
    told: list[tuple[str, int, int]] = []
    with Client(service.url) as client:
        same(client.score_pairs(expected.pairs, progress=lambda *step: told.append(step)), expected.outcomes)
    assert told[-1] == ("scoring", len(expected.pairs), len(expected.pairs))
    assert len(told) > 1

    async def several() -> list[Any]:
        async with AsyncClient(service.url) as both:
            return await asyncio.gather(both.score_pairs(expected.pairs), both.score_pairs(expected.pairs[:3]))

    all_of_them, three = asyncio.run(several())
    same(all_of_them, expected.outcomes)
    same(three, expected.outcomes[:3])
    with RemoteScorer(service.url) as scorer:
        same([*scorer.score_images(*zip(*expected.pairs, strict=True))], expected.outcomes)


def test_pairs_that_cannot_be_scored_fail_alone(service: LiveService, bundled: Scorer, tmp_path: Path) -> None:
    """The local failures, at their own places, whether the image is checked here or by the service."""
    good = (picture(), picture(seed=1))
    torn = encode(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))[:-500]
    pairs: list[Any] = [
        good, (tmp_path / "none.png", picture()), (picture(), encode(picture())[:-20]), (torn, picture()),
        (encode(picture()), torn), "ab", (picture(),), (picture(3, 3), picture()), (b"", picture()), (b"text", b"text"),
        (picture(64, 64), picture(20, 64)), good, (encode(picture(60, 60)), encode(picture())),
    ]  # fmt: skip
    with Client(service.url) as client:
        same(client.score_pairs(pairs), bundled.score_pairs(pairs))
        same(client.score_pairs(iter([])), [])


def test_one_original_with_many_reconstructions_is_sent_once(
    proxy: FaultyProxy, bundled: Scorer, tmp_path: Path
) -> None:
    """The raw form has 1 + N images, and the form of files has one original, too."""
    original, reconstructions = picture(32, 32), [picture(32, 32, seed) for seed in range(1, 6)]
    large = [encode(picture(300, 300, seed)) for seed in range(4)]
    with Client(proxy.url) as client:
        same(
            client.score_pairs([(original, one) for one in reconstructions]),
            bundled.score_pairs([(original, one) for one in reconstructions]),
        )
        pairs = [(large[0], one) for one in large]
        same(client.score_pairs(pairs), bundled.score_pairs(pairs))
    raw, files = proxy.requests
    assert len(raw.body) == 6 * 32 * 32 * 3
    assert raw.headers["x-semsim-originals"] == "1"
    assert files.body.count(b'name="original"') == 1
    assert files.body.count(b'name="reconstruction"') == 4


def test_a_client_may_leave_the_controls_out(service: LiveService) -> None:
    """Raw pictures and files alike come back without a chance, and with all other numbers."""
    pairs = [(CAT, NOISE), (SMALL, SMALL)]
    wanted = Scorer(controls=False).score_pairs(pairs)
    assert all(isinstance(one, PairScore) and one.chance is None for one in wanted)
    with Client(service.url, controls=False) as client, RemoteScorer(service.url, controls=False) as scorer:
        same([client.score_pairs([pair])[0] for pair in pairs], wanted)
        same(scorer.score_pairs(pairs), wanted)


def test_one_pair_is_scored_or_raises(service: LiveService, bundled: Scorer) -> None:
    """``score`` gives the score, or the error that the local scorer raises."""
    with RemoteScorer(service.url) as scorer:
        same([scorer.score(CAT, NOISE)], [bundled.score(CAT, NOISE)])
        assert scorer.manifest == bundled.manifest
        distances = np.array([0.1, 1.0])
        np.testing.assert_array_equal(scorer.leakage(distances), bundled.leakage(distances))
        with pytest.raises(EmptyImage):
            scorer.score(b"", CAT)
        with pytest.raises(InvalidPair):
            scorer.score_pairs("ab")  # type: ignore[arg-type]
        with pytest.raises(InvalidArray):
            scorer.score_images([picture().astype(np.float32)], [picture()])
        with pytest.raises(ValueError, match="as many"):
            scorer.score_images([picture()], [])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (np.zeros((32, 32, 3), np.float32), "images_from_tensor"),
        (torch.zeros(3, 32, 32), "images_from_tensor"),
        (torch.zeros(3, 32, 32, dtype=torch.bfloat16), "uint8"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "shape"),
        (Image.new("CMYK", (32, 32)), 'convert("RGB")'),
        (Image.new("I;16", (32, 32)), 'convert("RGB")'),
        ([[1, 2]], "expected encoded bytes"),
    ],
)
def test_values_that_are_no_image_are_refused_with_the_way_out(service: LiveService, source: Any, hint: str) -> None:
    """Floats have no scale, and other modes of Pillow no 8 bits."""
    with Client(service.url) as client:
        (outcome,) = client.score_pairs([(source, picture())])
    assert isinstance(outcome, PairFailure)
    assert outcome.code is ErrorCode.INVALID_ARRAY
    assert hint in outcome.message


def test_requests_keep_within_the_services_limits(limited_service: LiveService, calibrated_artifact: Path) -> None:
    """Three pairs, 40,000 bytes and 2,048 pixels a request: what fits alone is scored, whatever comes with it."""
    sides = [8 * (1 + seed % 4) for seed in range(20)]
    pairs = [(picture(side, side, seed), picture(side, side, seed + 1)) for seed, side in enumerate(sides)]
    too_large = (picture(40, 40), picture(40, 40))
    with Client(limited_service.url) as client:
        outcomes = client.score_pairs([*pairs, too_large])
    same(outcomes[:-1], Scorer(calibrated_artifact).score_pairs(pairs))
    assert isinstance(outcomes[-1], PairFailure)
    assert outcomes[-1].code is ErrorCode.TOO_MANY_PIXELS
