"""Reconstructions that show a part of their originals elsewhere."""

import numpy as np
import pytest

from semsim import Scorer
from semsim.images import RGBImage, decode, resize_batch
from tests.conftest import IMAGES
from tests.encoded import picture

PHOTOGRAPHS = [decode(path) for path in (*sorted(IMAGES.glob("photographs/*/*.png")), *sorted(IMAGES.glob("*.jpg")))]


def moved(image: RGBImage, across: float, along: float, behind: int | str) -> RGBImage:
    """An image whose pixels are moved by parts of its side, with a level, noise, its edges or its other side behind."""
    height, width, _ = image.shape
    rows, columns = np.arange(height) - round(along * height), np.arange(width) - round(across * width)
    if behind == "wrapped":
        return image[rows % height][:, columns % width]
    copy = image[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    outside = ((rows < 0) | (rows >= height))[:, None] | (columns < 0) | (columns >= width)
    if behind == "noise":
        copy[outside] = np.random.default_rng(0).integers(0, 256, (np.count_nonzero(outside), 3))
    elif behind != "edges":
        copy[outside] = behind
    return copy


@pytest.mark.parametrize("behind", [0, 128, "noise", "edges", "wrapped"])
def test_a_moved_photograph_is_no_safe_reconstruction(bundled: Scorer, behind: int | str) -> None:
    """At most 5% of moved photographs, with noise or without, are told to leak little."""
    rng, low = np.random.default_rng(0), []
    for across, along in ((1 / 8, 0), (1 / 4, 0), (-1 / 3, 0), (0, 1 / 2), (1 / 4, -1 / 4)):
        for deviation in (0, 20):
            copies = [moved(image, across, along, behind) for image in PHOTOGRAPHS]
            copies = [np.clip(copy + rng.normal(0, deviation, copy.shape), 0, 255).astype(np.uint8) for copy in copies]
            low += [score.recognizable is False for score in bundled.score_images(PHOTOGRAPHS, copies)]
    assert np.mean(low) <= 0.05


def test_the_reason_is_told(bundled: Scorer, small_scorer: Scorer) -> None:
    """Photographs that are moved by a third have that reason, for a model without a calibration, too."""
    copies = [moved(image, 1 / 3, 0, 128) for image in PHOTOGRAPHS]
    for scorer in (bundled, small_scorer):
        scores = scorer.score_images(PHOTOGRAPHS, copies)
        assert {score.uninformative for score in scores} == {"moved"}
        assert all((score.leakage, score.recognizable, score.chance) == (None, None, None) for score in scores)
    assert "moved" in scores[0].uninformative.reason


def test_what_is_not_moved_is_not_called_so(bundled: Scorer, small_scorer: Scorer) -> None:
    """A copy, a blurred one, another photograph, noise and smooth pictures keep their leakage."""
    others = PHOTOGRAPHS[1:] + PHOTOGRAPHS[:1]
    blurred = [resize_batch([resize_batch([image], 10, 10)[0]], *image.shape[:2])[0] for image in PHOTOGRAPHS]
    noise = [np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8) for image in PHOTOGRAPHS]
    smooth = [picture(*image.shape[:2], seed) for seed, image in enumerate(PHOTOGRAPHS)]
    scores = small_scorer.score_images(smooth, smooth[1:] + smooth[:1])
    assert not [score for score in scores if score.uninformative == "moved"]
    for copies in (PHOTOGRAPHS, others, blurred, noise, smooth):
        for scorer in (bundled, small_scorer):
            assert not [one for one in scorer.score_images(PHOTOGRAPHS, copies) if one.uninformative == "moved"]


def test_a_batch_is_its_pairs(bundled: Scorer) -> None:
    """The reason of a pair does not hang on the pairs beside it, nor on how many there are."""
    copies = [moved(image, 1 / 3 * (i % 2), 0, 128) for i, image in enumerate(PHOTOGRAPHS)]
    together = bundled.score_images(PHOTOGRAPHS * 6, copies * 6)
    alone = [bundled.score(original, copy).uninformative for original, copy in zip(PHOTOGRAPHS, copies, strict=True)]
    assert [score.uninformative for score in together] == alone * 6
    assert {"moved", None} == set(alone)
