"""The resizer: Pillow's numbers, one batch at a time."""

import numpy as np
import pytest
from PIL import Image

from semsim.images import ResizeFilter, resize, resize_batch
from tests.encoded import picture


@pytest.mark.parametrize("filter", list(ResizeFilter))
def test_every_filter_is_pillows(filter: ResizeFilter) -> None:
    """Each kernel gives what Pillow gives for the kernel of that name."""
    image = picture()
    expected = Image.fromarray(image).resize((10, 7), getattr(Image.Resampling, filter.name))
    np.testing.assert_array_equal(resize(image, 7, 10, filter), np.asarray(expected))


def test_the_same_size_changes_nothing() -> None:
    """An image of the right size is returned as it is."""
    image = picture()
    assert resize(image, *image.shape[:2]) is image


def test_a_batch_is_its_images() -> None:
    """Images of different sizes become one batch, each as it would be alone."""
    images = [picture(9, 30), picture(16, 16, seed=1), picture(64, 20, seed=2)]
    batch = resize_batch(images, 16, 16)
    assert batch.shape == (3, 16, 16, 3)
    assert batch.flags.c_contiguous
    for row, image in zip(batch, images, strict=True):
        np.testing.assert_array_equal(row, resize(image, 16, 16))


def test_an_empty_batch_has_the_shape() -> None:
    """No images give an empty batch of the right shape."""
    assert resize_batch([], 16, 8).shape == (0, 16, 8, 3)


@pytest.mark.parametrize("shape", [(1100, 1000), (40, 30_000), (30_000, 40)])
@pytest.mark.parametrize("filter", ResizeFilter)
def test_a_large_picture_is_resized_as_pillow_does(shape: tuple[int, int], filter: ResizeFilter) -> None:
    """Channel by channel, every value is that of all channels at once."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = Image.fromarray(image).resize((48, 32), Image.Resampling[filter.name])
    np.testing.assert_array_equal(resize(image, 32, 48, filter), np.asarray(expected))
