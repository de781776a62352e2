"""The Fréchet distance against closed forms."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from semsim.exceptions import InvalidArray, InvalidDataset
from semsim.fid.frechet import ArtifactFeatures, fid, frechet_distance


@given(st.integers(0, 99), st.integers(2, 30), st.integers(2, 30))
def test_one_dimension_is_the_closed_form(seed: int, first: int, second: int) -> None:
    """The distance is (m1 - m2)^2 + (s1 - s2)^2, for any numbers of images."""
    rng = np.random.default_rng(seed)
    left, right = rng.normal(1, 2, (first, 1)), rng.normal(0, 3, (second, 1))
    expected = (left.mean() - right.mean()) ** 2 + (left.std(ddof=1) - right.std(ddof=1)) ** 2
    assert frechet_distance(left, right).value == pytest.approx(expected, abs=1e-9)


def test_many_dimensions_are_the_matrix_square_root() -> None:
    """With covariances of full rank, SciPy's square root of their product gives the same distance."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), rng.normal(1, 1, (90, 6))
    one, other = np.cov(left.T), np.cov(right.T)
    means = left.mean(axis=0) - right.mean(axis=0)
    expected = means @ means + np.trace(one + other - 2 * sqrtm(one @ other).real)
    distance = frechet_distance(left, right)
    assert distance.value == pytest.approx(expected, rel=1e-9)
    assert (distance.images, distance.dimension, distance.full_rank) == (90, 6, True)


def test_diagonal_gaussians_have_a_closed_form() -> None:
    """The distance sums (m1 - m2)^2 + (s1 - s2)^2 over axes, with fewer images than dimensions, too, and says so."""
    left = np.zeros((4, 5))
    left[0, 0], left[1, 0], left[2, 1], left[3, 1] = 1, -1, 2, -2
    distance = frechet_distance(left, 3 * left + 1)
    deviations = left.std(axis=0, ddof=1)
    assert distance.value == pytest.approx(5 + ((2 * deviations) ** 2).sum())
    assert not distance.full_rank


def test_a_sample_is_at_0_from_itself_and_order_does_not_matter() -> None:
    """The distance is never below 0, whatever rounding does, and symmetric."""
    rng = np.random.default_rng(0)
    for shape in ((5, 40), (60, 7)):
        left, right = rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)
        assert frechet_distance(left, left[::-1]).value == pytest.approx(0, abs=1e-9)
        assert frechet_distance(left, right).value == pytest.approx(frechet_distance(right, left).value)


class Means:
    """An extractor whose features are mean colours."""

    name = "mean colours"

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean colour of each image, float32 ``(N, 3)``."""
        return images.mean(axis=(1, 2)).astype(np.float32)


def test_the_extractor_is_pluggable(small_artifact: Path) -> None:
    """FID takes any features, such as the embeddings of a model artifact."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 20, 16, 16, 3), dtype=np.uint8)
    expected = frechet_distance(*(Means().features(one) for one in images))
    assert fid(images[0], images[1], Means()) == expected
    extractor = ArtifactFeatures(small_artifact)
    assert extractor.name == "small 0.0.1"
    assert fid(images[0], images[1], extractor).dimension == 12
    with pytest.raises(InvalidDataset, match="at least 2 images in each set for FID, got 20 and 1"):
        fid(images[0], images[1][:1], extractor)


def test_features_that_will_not_do_are_refused() -> None:
    """Samples of two dimensions and features that are not finite are refused."""
    with pytest.raises(InvalidArray, match=r"got \(3, 2\) and \(3, 4\)"):
        frechet_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(InvalidArray, match="expected finite features"):
        frechet_distance(np.full((3, 2), np.nan), np.zeros((3, 2)))
