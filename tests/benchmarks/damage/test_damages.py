"""The damages of the benchmark change a file, and leave its format to be seen."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.damage.damages import DAMAGES, FORMATS, encode
from semsim.images import decode
from semsim.images.formats import sniff
from tests.encoded import picture


@pytest.mark.parametrize("name", FORMATS)
def test_each_damage_changes_a_whole_file(name: str) -> None:
    """The files are whole before, and other bytes after each damage that their format knows."""
    whole, other = (encode(Image.fromarray(picture(90, 120, seed=seed)), name) for seed in range(2))
    assert decode(whole).shape == (90, 120, 3)
    for damage in DAMAGES.values():
        damaged = damage(whole, other, np.random.default_rng(0))
        assert damaged is None or (damaged != whole and sniff(whole))
