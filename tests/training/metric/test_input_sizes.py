"""The loss of large pictures at a small input."""

from pathlib import Path

import pytest
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim_training.metric.input_sizes import DEGRADED, STRANGER, Faces, input_sizes_table, measure_input_size
from tests.encoded import picture
from tests.training.metric.small import judged, recipe

pytestmark = pytest.mark.slow


def test_every_kind_is_measured_at_every_size(tmp_path: Path) -> None:
    """Copies that are hardly degraded are identified and leak most; strangers are hardly ever identified."""
    for number in range(300):
        Image.fromarray(picture(48, 64, number)).save(tmp_path / f"{number:03}.png")
    faces = Faces.read(tmp_path)
    assert (len(faces.controls), len(faces.originals)) == (200, 100)
    assert {made.shape for made in faces.reconstructions["32 pixels on the longer side"]} == {(24, 32, 3)}
    small, large = (measure_input_size(recipe(), side, judged().judged, faces, Path()) for side in (16, 48))
    for one in (small, large):
        assert list(one.leakage) == list(one.identified) == [*DEGRADED, STRANGER]
        assert one.leakage["64 pixels on the longer side"] >= one.leakage["under noise, sigma 120"]
        assert one.identified["64 pixels on the longer side"] == 1
        assert one.identified[STRANGER] <= 0.05
    lines = input_sizes_table([small, large]).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == 6
    assert len(lines) == 2 + len(DEGRADED) + 1 + 2
    (tmp_path / "000.png").unlink()
    with pytest.raises(InvalidDataset, match=r"expected at least 300 photographs .* got 299"):
        Faces.read(tmp_path)
