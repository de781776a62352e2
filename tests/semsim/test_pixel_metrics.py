"""MSE, PSNR and SSIM against scikit-image."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from semsim import pixel_metrics as pm
from semsim.exceptions import ImageTooSmall, InvalidArray
from semsim.images import decode, resize
from tests.encoded import picture

TOLERANCE = 1e-6


def reference(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The three metrics of one pair by scikit-image, in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return (
        float(mean_squared_error(x, y)),
        float(peak_signal_noise_ratio(x, y, data_range=255)),
        float(structural_similarity(x, y, data_range=255, channel_axis=-1)),
    )


def assert_equal_to_scikit_image(originals: np.ndarray, reconstructions: np.ndarray) -> None:
    """Compare a batch, as uint8 and as float64, with scikit-image pair by pair."""
    expected = np.array([reference(x, y) for x, y in zip(originals, reconstructions, strict=True)])
    for kind in (np.uint8, np.float64):
        x, y = originals.astype(kind), reconstructions.astype(kind)
        squared = pm.mse(x, y)
        np.testing.assert_allclose(squared, expected[:, 0], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(pm.psnr(squared), expected[:, 1], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(pm.ssim(x, y), expected[:, 2], atol=TOLERANCE, rtol=0)


def test_100_random_pairs_equal_scikit_image() -> None:
    """100 random pairs of several sizes agree to 1e-6."""
    rng = np.random.default_rng(0)
    for height, width in ((7, 7), (8, 31), (32, 32), (64, 64), (96, 50)):
        x = rng.integers(0, 256, (20, height, width, 3), dtype=np.uint8)
        y = np.clip(x + rng.normal(0, 40, x.shape), 0, 255).astype(np.uint8)
        assert_equal_to_scikit_image(x, y)


def test_100_real_pairs_equal_scikit_image(data: Path) -> None:
    """100 real images, each with another image or a noisy copy, agree to 1e-6."""
    paths = sorted((data / "caltech101").glob("*/image_0001.jpg"))[:100]
    assert len(paths) == 100
    rng = np.random.default_rng(1)
    images = np.stack([resize(decode(path), 64, 64) for path in paths])
    noisy = np.clip(images + rng.normal(0, 25, images.shape), 0, 255).astype(np.uint8)
    assert_equal_to_scikit_image(images, np.concatenate([noisy[:50], np.roll(images, 1, axis=0)[50:]]))


def test_a_large_image_is_done_in_pieces() -> None:
    """An image over the step size gives the same numbers as in one piece."""
    rng = np.random.default_rng(2)
    x = rng.integers(0, 256, (1, 700, 900, 3), dtype=np.uint8)
    assert_equal_to_scikit_image(x, x[:, ::-1])


def test_equal_images() -> None:
    """Equal images have MSE 0, infinite PSNR and SSIM 1."""
    x = picture()[None]
    assert pm.mse(x, x) == 0
    assert np.isposinf(pm.psnr(pm.mse(x, x)))
    assert pm.ssim(x, x) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(7, 20), st.integers(7, 20), st.integers(0, 2**32 - 1))
def test_a_batch_is_its_pairs(count: int, height: int, width: int, seed: int) -> None:
    """The metrics of a batch are those of its pairs one by one."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (2, count, height, width, 3), dtype=np.uint8)
    for metric in (pm.mse, pm.ssim):
        np.testing.assert_array_equal(metric(x, y), [metric(x[i : i + 1], y[i : i + 1])[0] for i in range(count)])


def test_another_size_is_resized_and_said() -> None:
    """A reconstruction of another size is resized to the original, and the result says so."""
    originals = [picture(24, 32), picture(16, 16, seed=1), picture(24, 32, seed=2)]
    reconstructions = [picture(48, 64), picture(16, 16, seed=3), picture(24, 32, seed=4)]
    result = pm.pixel_metrics(originals, reconstructions)
    assert result.resized.tolist() == [True, False, False]
    for i in range(3):
        expected = reference(originals[i], resize(reconstructions[i], *originals[i].shape[:2]))
        np.testing.assert_allclose((result.mse[i], result.psnr[i], result.ssim[i]), expected, atol=TOLERANCE, rtol=0)


def test_unusable_batches_are_refused() -> None:
    """Batches of different shapes, or too small for SSIM's window, are refused."""
    with pytest.raises(InvalidArray, match="one shape"):
        pm.mse(np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 9, 3)))
    with pytest.raises(InvalidArray, match="one shape"):
        pm.ssim(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)))
    with pytest.raises(ImageTooSmall, match="at least 7"):
        pm.ssim(np.zeros((1, 6, 9, 3)), np.zeros((1, 6, 9, 3)))


@pytest.mark.parametrize("shape", [(16, 32768), (32768, 16), (600, 513)])
def test_memory_is_bounded_whatever_the_shape(shape: tuple[int, int]) -> None:
    """A long image takes no more memory beside its pixels than a square one, cut along its rows or its columns."""
    rng = np.random.default_rng(4)
    original, reconstruction = rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    tracemalloc.start()
    result = pm.pixel_metrics([original], [reconstruction])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20
    expected = reference(original, reconstruction)
    np.testing.assert_allclose((result.mse[0], result.psnr[0], result.ssim[0]), expected, atol=TOLERANCE, rtol=0)


def test_a_pause_ends_the_work_within_milliseconds() -> None:
    """A large pair is computed in many pieces, and an error in a pause between two ends it."""
    image = np.zeros((1024, 1024, 3), dtype=np.uint8)
    called: list[float] = []

    def pause() -> None:
        called.append(time.thread_time())
        if len(called) == 60:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        pm.pixel_metrics([image], [image], pause=pause)
    assert max(np.diff(called)) < 0.1
