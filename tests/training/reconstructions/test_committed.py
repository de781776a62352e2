"""The reconstruction sets in the repository, and the configurations they and the paper's come from."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from semsim.pixel_metrics import mse, psnr
from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_training.attacks.generative.generator_training import GeneratorTraining
from semsim_training.client_images.mode import NO_MODE
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.recognition.recogniser_configuration import RecogniserTrainings
from semsim_training.reconstructions.dataset import DatasetDescription
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.near_copies import NEAR_DB
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.victims.schedule import VictimTrainings
from semsim_training.victims.victim_checkpoint import load_victim
from tests.conftest import ROOT

SETS = sorted(path.parent for path in (ROOT / "datasets").glob("*/dataset.json"))
UNTRAINED = {"caltech101", "caltech101-many", "cifar10", "cifar10-many"}
"""The sets with untrained victims, which give originals away in closed form."""


def test_together_they_are_what_the_metric_is_trained_on() -> None:
    """At least 2,400 reconstructions in at least 16 settings of two data sets; with what is begun, at most 90 MB."""
    descriptions = [DatasetDescription.read(path) for path in SETS]
    assert {description.name for description in descriptions} >= UNTRAINED
    assert sum(description.rows for description in descriptions) >= 2400
    assert sum(description.settings for description in descriptions) >= 16
    assert sum(file.stat().st_size for file in (ROOT / "datasets").rglob("*") if file.is_file()) <= 90e6


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_classes_splits_and_hashes(path: Path) -> None:
    """Every shard is the one described; an original is in one split; the older sets have five originals of a class.

    The sets of trained victims have many classes instead, so that annotators cannot guess: a class has two at least.
    """
    images, splits = defaultdict(set), defaultdict(set)
    for row in ReconstructionSet.read(path).rows:
        images[row.class_name].add(row.image)
        splits[row.image].add(row.split)
    assert min(map(len, images.values())) >= (5 if path.name in UNTRAINED else 2)
    assert {len(names) for names in splits.values()} == {1}
    assert {name for names in splits.values() for name in names} == {"train", "validation", "test"}


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_every_picture_is_put_together(path: Path, data: Path) -> None:
    """Each original is the one that was attacked; each reconstruction is as far from it as its row says."""
    made = ReconstructionSet.read(path)
    originals = np.stack([made.original(row) for row in made.rows])
    reconstructions = np.stack([made.reconstruction(row) for row in made.rows])
    assert psnr(mse(originals, reconstructions)).tolist() == [row.psnr for row in made.rows]
    near = sum(row.psnr >= NEAR_DB for row in made.rows)
    assert sum(row.near_copy_of is not None for row in made.rows) >= near >= 60 * (made.name in UNTRAINED)


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_made_by_their_configuration(path: Path) -> None:
    """The grid in dataset.json is the one in configs/attacks."""
    described = Grid.model_validate(DatasetDescription.read(path).grid)
    assert described == Grid.read(ROOT / "configs" / "attacks" / f"{path.name}.yaml")


@pytest.mark.parametrize("name", ["resnet20-cifar10", "resnet20-caltech101"])
def test_committed_victims_load(name: str) -> None:
    """Weights and description belong together."""
    _, description = load_victim(ROOT / "models" / "victims" / f"{name}.safetensors")
    assert description.training is not None
    assert description.training.test_accuracy > 0.4


def test_the_papers_fourteen_settings() -> None:
    """Two victims, each trained in seven ways, every one attacked; the policies also act on the attacked images."""
    grid = Grid.read(ROOT / "configs" / "attacks" / "paper-cifar100.yaml")
    victims = VictimTrainings.read(ROOT / "configs" / "victims" / "paper-cifar100.yaml").victims
    assert len(grid.settings) == 14
    assert {setting.victim for setting in grid.settings} == set(grid.victims) == set(victims)
    assert {setting.attack.preset for setting in grid.settings} == {"inversed"}
    for setting in grid.settings:
        trained = victims[setting.victim]
        assert setting.mode == (trained.mode if "-" in trained.mode.text else NO_MODE)
        assert trained.resolved.epochs == 200


SCHEMAS: dict[str, Callable[[Path], object]] = {
    "attacks": Grid.read,
    "attack": Grid.read,
    "generators": GeneratorTraining.read,
    "victims": VictimTrainings.read,
    "recognisers": RecogniserTrainings.read,
    "metric": MetricTraining.read,
    "audits": AuditConfiguration.read,
}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_fits_its_schema(path: Path) -> None:
    """No configuration has gone stale; those of one folder are of one kind, those of the smoke run are named by it."""
    SCHEMAS[path.stem if path.parent.name == "smoke" else path.parent.name](path)
