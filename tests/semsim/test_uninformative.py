"""The rule for originals that show nothing."""

import numpy as np
import pytest

from semsim import Scorer
from semsim.images import decode, resize_batch
from semsim.uninformative.empty_originals import SIDE, show_nothing
from tests.conftest import CPU, IMAGES, ROOT

SIZES = (16, 32, 64, 128, 224)
rng = np.random.default_rng(0)


def noise(side: int, mean: float, deviation: float, channels: int = 3) -> np.ndarray:
    """Gaussian noise, clipped to 0..255, in colour or grey."""
    values = rng.normal(mean, deviation, (side, side, channels)).round().clip(0, 255)
    return np.broadcast_to(values, (side, side, 3)).astype(np.uint8)


def gradient(side: int) -> np.ndarray:
    """A slope from one corner to the other, of another height in each channel."""
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    return ((x + y)[..., None] / 2 * (250, 90, 160)).astype(np.uint8)


def judged(image: np.ndarray) -> bool:
    """The rule's answer on an image of any size."""
    return bool(show_nothing(resize_batch([image], SIDE, SIDE), [min(image.shape[:2])])[0])


@pytest.mark.parametrize("side", SIZES)
def test_pictures_of_nothing_are_known(side: int) -> None:
    """Noise of any strength and colour, plain colours and gradients show nothing, at every size."""
    pictures = [
        rng.integers(0, 256, (side, side, 3), dtype=np.uint8),
        np.repeat(rng.integers(0, 256, (side, side, 1), dtype=np.uint8), 3, axis=2),
        gradient(side),
        *(noise(side, 128, deviation) for deviation in (1, 3, 10, 40, 80)),
        *(noise(side, mean, deviation) for mean in (0, 4, 251, 255) for deviation in (1, 2, 3)),
        *(np.full((side, side, 3), colour, dtype=np.uint8) for colour in ((0, 0, 0), (255, 255, 255), (9, 200, 80))),
    ]
    assert all(map(judged, pictures))


def test_photographs_and_drawings_show_something() -> None:
    """Photographs, their strongly degraded copies, a digit and a few tiles are told from noise."""
    photographs = [decode(path) for path in sorted(IMAGES.glob("*.jpg"))]
    assert len(photographs) >= 2
    dim = [(image // 12).astype(np.uint8) for image in photographs]
    noisy = [np.clip(image + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8) for image in photographs]
    digit = np.zeros((28, 28, 3), dtype=np.uint8)
    digit[5:8, 8:20] = digit[8:24, 16:19] = 255
    tiles = np.kron(np.indices((4, 4)).sum(axis=0) % 2 * 255, np.ones((16, 16)))
    pictures = [*photographs, *dim, *noisy, digit, np.repeat(tiles[..., None], 3, axis=2).astype(np.uint8)]
    assert not any(map(judged, pictures))


def test_noise_is_uninformative_for_every_model_in_every_batch() -> None:
    """Unrelated noise pictures and plain colours have no leakage; the answer depends on nothing but the original."""
    bundled = Scorer(providers=CPU)
    baseline = Scorer(ROOT / "models" / "imagenet-baseline", providers=CPU, batch_size=3)
    photograph = decode(IMAGES / "cat.jpg")
    originals = [noise(32, 128, 60), photograph, noise(64, 90, 25, 1), np.full((40, 40, 3), 7, dtype=np.uint8)] * 3
    reconstructions = [noise(32, 128, 60) for _ in originals]
    expected = ["original", None, "original", "original"] * 3
    order = rng.permutation(len(originals))
    for scorer in (bundled, baseline):
        scores = scorer.score_images(originals, reconstructions)
        assert [score.uninformative for score in scores] == expected
        shuffled = scorer.score_images([originals[i] for i in order], [reconstructions[i] for i in order])
        assert [score.uninformative for score in shuffled] == [expected[i] for i in order]
    scores = bundled.score_images(originals, reconstructions)
    for score, alone in zip(scores, map(bundled.score, originals, reconstructions), strict=True):
        assert score.uninformative == alone.uninformative
        assert (score.leakage is None) == (score.recognizable is None) == (score.uninformative is not None)
    assert bundled.score(photograph, noise(64, 128, 60)).recognizable is False
    assert bundled.score(originals[0], originals[0]).leakage is None
