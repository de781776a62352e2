"""A set goes on with the victims, images and version that it was begun with, and with no others."""

import json
from pathlib import Path

import pytest
from PIL import Image

from semsim.bulk.engine import Engine
from semsim.exceptions import InvalidConfiguration
from semsim_training.reconstructions.dataset import DatasetDescription
from semsim_training.reconstructions.generate import generate
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.plan import ShardPlan
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.victim_checkpoint import VictimDescription, save_victim
from tests.conftest import ROOT
from tests.training.reconstructions.small_grid import SETTINGS, grid, write_images
from tests.training.small import smooth_images

NETWORK = {"architecture": "perceptron", "width": 16, "classes": 2, "size": 16}
COUNT = 6


def save(path: Path, seed: int) -> None:
    """An untrained victim of a seed as a checkpoint."""
    network = Network.model_validate(NETWORK)
    save_victim(build_network(network, seed), VictimDescription(network=network, seed=seed), path)


def attacked(home: Path) -> Grid:
    """A grid of one victim, whose weights are a file, over images that are a folder: two shards."""
    if not (home / "victim.safetensors").exists():
        save(home / "victim.safetensors", seed=0)
        write_images(home / "images")
    images = {"small": {"folder": str(home / "images"), "size": 16, "count": COUNT}}
    victims = {"mlp": {"checkpoint": "victim.safetensors"}}
    return grid(home, images=images, victims=victims, settings=[SETTINGS[1]], batch_size=3)


def make(home: Path) -> DatasetDescription:
    """The set, or what is missing of it."""
    return generate(attacked(home), home, home / "set", engine=Engine.HERE)


def lose_a_shard(home: Path) -> None:
    """As an interruption leaves a set."""
    sorted((home / "set" / "shards").glob("*.parquet"))[-1].unlink()
    (home / "set" / "dataset.json").unlink()


def without_inputs(home: Path) -> None:
    """The plan as versions of before wrote it."""
    path = home / "set" / ShardPlan.FILE
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "inputs"}))


@pytest.mark.parametrize("finished", [True, False])
def test_other_weights_at_the_same_path_are_refused(tmp_path: Path, finished: bool) -> None:
    """Neither a finished set nor a part of one passes for a set of another victim; with the old one it goes on."""
    first = make(tmp_path)
    if not finished:
        lose_a_shard(tmp_path)
    files = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()}
    save(tmp_path / "victim.safetensors", seed=1)
    with pytest.raises(
        InvalidConfiguration, match=r"expected the victim mlp .* sha256 .*, got .*: begin in another dir"
    ):
        make(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()} == files
    save(tmp_path / "victim.safetensors", seed=0)
    assert make(tmp_path).victims == first.victims


def test_a_victim_that_reads_its_inputs_otherwise_is_another(tmp_path: Path) -> None:
    """The description beside the weights belongs to the victim."""
    make(tmp_path)
    path = tmp_path / "victim.json"
    described = json.loads(path.read_text())
    described["network"]["mean"] = [120.0, 120.0, 120.0]
    path.write_text(json.dumps(described))
    with pytest.raises(InvalidConfiguration, match="expected the victim mlp"):
        make(tmp_path)


@pytest.mark.parametrize("finished", [True, False])
def test_other_images_are_refused(tmp_path: Path, finished: bool) -> None:
    """Images that were added to a folder, so that others are chosen, are no images of the set."""
    make(tmp_path)
    if not finished:
        lose_a_shard(tmp_path)
    for index, image in enumerate(smooth_images(40, 16, seed=1)):
        Image.fromarray(image).save(tmp_path / "images" / ("left" if index % 2 else "right") / f"new-{index:02}.png")
    with pytest.raises(InvalidConfiguration, match=r"expected the images small .* sha256 .*, got .*: begin in another"):
        make(tmp_path)


def test_another_picture_by_the_same_name_is_refused(tmp_path: Path) -> None:
    """Images are told apart by their pixels, not by their names."""
    make(tmp_path)
    for path, image in zip(sorted((tmp_path / "images").rglob("*.png")), smooth_images(12, 16, seed=1), strict=True):
        Image.fromarray(image).save(path)
    with pytest.raises(InvalidConfiguration, match="expected the images small"):
        make(tmp_path)


def test_another_version_finishes_no_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set is of one version; one that is finished stays as it is."""
    first = make(tmp_path)
    monkeypatch.setattr("semsim_training.reconstructions.grid_inputs.__version__", "99.0")
    assert make(tmp_path) == first
    lose_a_shard(tmp_path)
    with pytest.raises(InvalidConfiguration, match=r"expected SemSim .*, got 99\.0: begin in another directory"):
        make(tmp_path)


def test_a_set_of_before_has_its_victims_in_its_description(tmp_path: Path) -> None:
    """A plan without inputs stays readable; the set goes on where its finished description has the same weights."""
    first = make(tmp_path)
    without_inputs(tmp_path)
    assert make(tmp_path) == first
    save(tmp_path / "victim.safetensors", seed=1)
    with pytest.raises(
        InvalidConfiguration, match=r"expected the victim mlp .* sha256 .*, got .*: begin in another dir"
    ):
        make(tmp_path)
    save(tmp_path / "victim.safetensors", seed=0)
    lose_a_shard(tmp_path)
    assert make(tmp_path).victims == first.victims


def test_untrained_victims_of_a_finished_set_are_the_grids(folder: Path, tmp_path: Path) -> None:
    """Another machine rounds random weights otherwise: a finished set of untrained victims is left as it is there."""
    small = grid(folder, settings=SETTINGS[1:2])
    first = generate(small, folder, tmp_path / "set", engine=Engine.HERE)
    path = tmp_path / "set" / ShardPlan.FILE
    path.write_text(path.read_text().replace('"mlp": "', '"mlp": "0'))
    assert generate(small, folder, tmp_path / "set", engine=Engine.HERE) == first
    lose_a_shard(tmp_path)
    with pytest.raises(InvalidConfiguration, match="expected the victim mlp"):
        generate(small, folder, tmp_path / "set", engine=Engine.HERE)


@pytest.mark.parametrize("name", ["cifar10-trained", "cifar10-many"])
def test_committed_sets_are_returned_at_once(name: str, data: Path) -> None:
    """A grid over a finished set of the repository, made elsewhere, attacks nothing and changes nothing."""
    out, config = ROOT / "datasets" / name, ROOT / "configs" / "attacks" / f"{name}.yaml"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    made = generate(Grid.read(config), config.parent, out, engine=Engine.HERE)
    assert made == DatasetDescription.read(out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
