"""Reconstructions whose values were read in another layout than they were written in."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from semsim import Scorer
from semsim.images import RGBImage, decode, resize_batch
from tests.conftest import IMAGES

PHOTOGRAPHS = [decode(path) for path in (*sorted(IMAGES.glob("photographs/*/*.png")), *sorted(IMAGES.glob("*.jpg")))]
SIZES = ((32, 32), (64, 64), (48, 64), (90, 50), (200, 300))
ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def at(height: int, width: int) -> list[RGBImage]:
    """The photographs at a size."""
    return list(resize_batch(PHOTOGRAPHS, height, width))


def blurred(image: RGBImage) -> RGBImage:
    """A copy that people still recognise, as an attack's is."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1)))


def permuted(image: RGBImage, axes: tuple[int, ...], exchanged: bool) -> RGBImage:
    """The values of an image in another order of its axes, as one of its shape, or of its shape exchanged."""
    height, width, _ = image.shape
    values = np.ascontiguousarray(image.transpose(axes))
    return values.reshape((width, height, 3) if exchanged else image.shape)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("axes", ORDERS)
def test_another_layout_is_no_safe_reconstruction(
    bundled: Scorer, axes: tuple[int, ...], exchanged: bool, size: tuple[int, int]
) -> None:
    """In any order of the axes, with height and width exchanged or not, nothing can be told, or the picture leaks."""
    originals = at(*size)
    for copies in (originals, list(map(blurred, originals))):
        scores = bundled.score_images(originals, [permuted(copy, axes, exchanged) for copy in copies])
        assert not [score for score in scores if score.recognizable is False]
        assert {score.uninformative for score in scores} <= {None, "reordered"}


def test_what_is_in_order_is_not_called_reordered(bundled: Scorer) -> None:
    """A copy, a blurred or noisy one, another photograph and noise keep their leakage, at every size."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        originals = at(*size)
        noise = [rng.integers(0, 256, image.shape, dtype=np.uint8) for image in originals]
        noisy = [(image * 0.9 + one * 0.1).astype(np.uint8) for image, one in zip(originals, noise, strict=True)]
        others = originals[1:] + originals[:1]
        for copies in (originals, list(map(blurred, originals)), noisy):
            assert all(score.recognizable for score in bundled.score_images(originals, copies))
        for copies in (others, list(map(blurred, others)), noise):
            assert not [one for one in bundled.score_images(originals, copies) if one.uninformative == "reordered"]


def test_a_batch_is_its_pairs(bundled: Scorer) -> None:
    """Pairs of many sizes, square or not, have the same reasons together as each has alone."""
    originals = [image for size in SIZES for image in at(*size)]
    copies = [permuted(image, ORDERS[i % 6], exchanged=i % 4 == 0) for i, image in enumerate(originals)]
    together = [score.uninformative for score in bundled.score_images(originals, copies)]
    assert together == [bundled.score(*pair).uninformative for pair in zip(originals, copies, strict=True)]
    assert {None, "reordered"} == set(together)
