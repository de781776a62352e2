"""The example images are those that their programs write."""

from pathlib import Path

import numpy as np

from examples import make_images
from examples.invert_gradient import KEPT, SIDE
from semsim.images import decode
from semsim_training.client_images.folder import square
from tests.conftest import IMAGES


def test_the_committed_images_are_current(tmp_path: Path) -> None:
    """`make examples` would write the photographs and their degraded copies again as they are."""
    make_images.main(tmp_path)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    attacked = sorted(path.relative_to(IMAGES).as_posix() for path in (IMAGES / "photographs").rglob("*.png"))
    assert names == ["cat.jpg", "cat_blurred.png", "cat_noise.png", "coffee.jpg", *attacked]
    for name in names:
        np.testing.assert_array_equal(decode(tmp_path / name), decode(IMAGES / name))


def test_the_attacked_image_is_the_cat() -> None:
    """The original of the attack is the cat at 32x32; a reconstruction is kept for each count of iterations."""
    np.testing.assert_array_equal(decode(IMAGES / "cat_32.png"), square(decode(IMAGES / "cat.jpg"), SIDE))
    assert sorted(int(path.stem) for path in (IMAGES / "cat_32").iterdir()) == list(KEPT)
