"""The controls of an artifact come of public images of the split train, and of nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from semsim import Scorer
from semsim.artifact import Artifact, default_artifact
from semsim.exceptions import InvalidDataset
from semsim.manifest import CONTROLS_FILE
from semsim_export.control_export import ControlOptions, export_controls
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.artifacts import write_artifact
from tests.conftest import CPU, ROOT

pytestmark = pytest.mark.slow


def test_controls_are_of_the_split_train_alone(data: Path, tmp_path: Path) -> None:
    """The file holds as many as asked for, the same each time; no original that is measured on is among them."""
    sets = [ROOT / "datasets" / "cifar10"]
    homes = [write_artifact(tmp_path / name) for name in "ab"]
    for home in homes:
        manifest = export_controls(home, sets, ControlOptions(count=150), settings=CPU)
    assert manifest.controls is not None
    assert (manifest.controls.count, manifest.controls.source) == (150, "150 images of cifar10; split train")
    assert homes[0].joinpath(CONTROLS_FILE).read_bytes() == homes[1].joinpath(CONTROLS_FILE).read_bytes()
    controls = Artifact.load(homes[0]).controls
    assert controls is not None
    kept = ReconstructionSet.read(sets[0])
    held_out = {row.original_sha256: row for row in kept.rows if row.split != "train"}
    embeddings = Scorer(homes[0], providers=CPU).embed([kept.original(row) for row in held_out.values()])
    apart = np.linalg.norm(embeddings[:, None] - controls.embeddings, axis=2)
    assert apart.min() > 0.05
    with pytest.raises(InvalidDataset, match="expected 5000 different images of the split train"):
        export_controls(homes[0], sets, ControlOptions(count=5000), settings=CPU)


def test_the_bundled_controls_are_those_of_the_command(data: Path, tmp_path: Path) -> None:
    """The committed file is what the step of the recipe writes, as far as another machine rounds alike."""
    home = tmp_path / "artifact"
    shutil.copytree(default_artifact(), home)
    config = ROOT / "configs" / "metric" / "default.yaml"
    sets = [config.parent / one.dataset for one in MetricTraining.read(config).judged.sets]
    export_controls(home, sets, ControlOptions(), settings=CPU)
    made, committed = Artifact.load(home).controls, Artifact.load().controls
    assert made is not None
    assert committed is not None
    np.testing.assert_allclose(made.embeddings, committed.embeddings, atol=2e-3)
    assert (home / CONTROLS_FILE).stat().st_size < 2.5e6
