"""The shares of pairs that are identified."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.chance import ControlEmbeddings
from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.identified_pictures import (
    _identified,
    _share,
    identified_table,
    measure_faces,
    measure_judged,
)
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


def test_pairs_without_a_chance_do_not_count_as_not_identified(calibrated_artifact: Path) -> None:
    """Where copies of an original leave fewer than 100 controls, nothing is told of its pairs, and no share is 0."""
    scorer = Scorer(calibrated_artifact, providers=CPU)
    spread = scorer.embed([picture(32, 32, number) for number in range(150)])
    copies = np.repeat(scorer.embed([picture(32, 32, 500)]), 60, axis=0)
    controls = ControlEmbeddings(np.concatenate([spread[:99], copies]), scorer.manifest.graph.sha256)
    originals = np.concatenate([copies[:3], spread[100:110]])
    told = _identified(controls, originals, originals)
    assert told.tolist() == [True] * 10
    with pytest.raises(InvalidConfiguration, match=r"expected controls that are no copies .* got copies for: its own"):
        _share("these", "its own", _identified(controls, copies[:3], copies[:3]))


@pytest.mark.slow
def test_what_lookers_name_is_identified(data: Path, bundled: Scorer) -> None:
    """Beside the bundled controls most of what every looker names is this picture, and hardly any other picture is."""
    whole = ReconstructionSet.read(ROOT / "datasets" / "caltech101")
    judged = JudgedSet.read(whole, ROOT / "datasets" / "vision-models", AnnotatorKind.VISION_MODEL)
    judged = judged.of_splits(("test",))
    shares = {one.reconstruction: one.share for one in measure_judged(bundled, judged)}
    assert shares["its own, every annotator names it"] >= 0.85
    assert shares["that of another image"] <= 0.05
    assert shares["its own, no annotator names it"] < shares["its own, every annotator names it"]
