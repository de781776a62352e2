"""Damage that looks whole, of which the proofs make their pictures."""

import numpy as np
import pytest

from benchmarks.harness.damaged_pictures import damages, with_metadata
from benchmarks.harness.questions import FORMATS, PNG, Mark, draw, encode
from semsim.exceptions import CorruptImage, TruncatedImage
from semsim.images import decode


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_refused(kind: str) -> None:
    """Each state of a picture is refused as cut or as corrupt, at any size of the picture."""
    rng = np.random.default_rng(1)
    for side in (8, 12, 32, 96):
        for damaged in damages(encode(draw(rng, side, side + 3), kind, Mark.of(1))):
            with pytest.raises((TruncatedImage, CorruptImage)):
                decode(damaged)


def test_metadata_changes_no_pixel() -> None:
    """A PNG with a megabyte of text is the same picture."""
    png = encode(draw(np.random.default_rng(1), 12, 16), PNG, Mark.of(1))
    np.testing.assert_array_equal(decode(with_metadata(png, 1_100_000)), decode(png))
