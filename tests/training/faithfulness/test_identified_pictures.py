"""The shares of pairs that are identified."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.identified_pictures import identified_table, measure_faces, measure_judged
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.conftest import CPU, ROOT
from tests.encoded import picture


def test_strangers_of_one_kind_are_rare_and_the_table_has_every_kind(tmp_path: Path, calibrated_artifact: Path) -> None:
    """Another picture and the mean picture are identified in hardly any pair, noisy copies in most."""
    for number in range(320):
        Image.fromarray(picture(32, 32, number)).save(tmp_path / f"{number:03}.png")
    scorer = Scorer(calibrated_artifact, providers=CPU)
    shares = measure_faces(scorer, tmp_path)
    beside = {(one.controls, one.reconstruction): one.share for one in shares}
    assert beside["200 faces", "another person's photograph"] <= 0.03
    assert beside["200 faces", "the mean face"] <= 0.03
    assert beside["200 faces", "a copy under noise of sigma 40"] >= 0.95
    assert len(identified_table(shares).splitlines()) == 2 + len(beside)
    for number in range(50):
        (tmp_path / f"{number:03}.png").unlink()
    with pytest.raises(InvalidDataset, match=r"expected at least 300 photographs .* got 270"):
        measure_faces(scorer, tmp_path)


def test_a_model_without_controls_is_refused(tmp_path: Path, small_scorer: Scorer) -> None:
    """There is nothing to measure, and no share of 0."""
    for number in range(300):
        Image.fromarray(np.full((8, 8, 3), number % 256, dtype=np.uint8)).save(tmp_path / f"{number:03}.png")
    with pytest.raises(InvalidConfiguration):
        measure_faces(small_scorer, tmp_path)


@pytest.mark.slow
def test_what_lookers_name_is_identified(data: Path, bundled: Scorer) -> None:
    """Beside the bundled controls most of what every looker names is this picture, and hardly any other picture is."""
    whole = ReconstructionSet.read(ROOT / "datasets" / "caltech101")
    table = data / "votes/vision-1"
    if not table.is_dir():
        pytest.skip(f"needs the judgements of vision models at {table}")
    judged = JudgedSet.read(whole, table, AnnotatorKind.VISION_MODEL).of_splits(("test",))
    shares = {one.reconstruction: one.share for one in measure_judged(bundled, judged)}
    assert shares["its own, every annotator names it"] >= 0.85
    assert shares["that of another image"] <= 0.05
    assert shares["its own, no annotator names it"] < shares["its own, every annotator names it"]
