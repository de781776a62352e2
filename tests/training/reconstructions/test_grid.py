"""Grids as they are written: local training, hashes, and mistakes in a line each."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.gradients.update import LocalTraining
from semsim_training.reconstructions.dataset import DatasetDescription
from semsim_training.reconstructions.federated_averaging import FederatedAveraging
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.plan import ShardPlan, Workload, digest
from tests.conftest import ROOT
from tests.training.judged.made_up import made_up_set
from tests.training.reconstructions.small_grid import SETTINGS, grid

SETS = sorted(path.parent for path in (ROOT / "datasets").glob("*/plan.json"))
ADAM = {"learning_rate": 0.01, "batch_size": 2, "optimiser": "adam", "weight_decay": 0.1, "clip_norm": 1.0}


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_committed_sets_stay_finished(path: Path) -> None:
    """A configuration of an earlier version has the hash that its set's plan holds."""
    configured = Grid.read(ROOT / "configs" / "attacks" / f"{path.name}.yaml")
    assert digest(configured) == ShardPlan.read(path).grid_sha256


def test_local_training_has_every_field() -> None:
    """A grid declares what a client's training has, with the same defaults."""
    assert list(FederatedAveraging.model_fields) == [field.name for field in fields(LocalTraining)]
    plain = FederatedAveraging(learning_rate=0.1, batch_size=4)
    assert plain.training == LocalTraining(0.1, 4)
    adam = FederatedAveraging.model_validate(ADAM)
    assert adam.training == LocalTraining(0.01, 2, optimiser="adam", weight_decay=0.1, clip_norm=1.0)


def test_what_is_left_at_its_default_is_not_in_the_hash(folder: Path) -> None:
    """Neither the text nor the name of a setting changes with fields that a grid does not use."""
    training = {"learning_rate": 0.01, "batch_size": 2}
    short = grid(folder, settings=[SETTINGS[2] | {"local_training": training}])
    long = grid(folder, settings=[SETTINGS[2] | {"local_training": training | {"optimiser": "sgd", "momentum": 0.0}}])
    assert digest(short) == digest(long)
    assert "optimiser" not in short.model_dump_json()
    assert short.settings[0].key == "small--lenet--inversed-it10--b3--fedavg-lr0.01-b2-e1"
    adam = grid(folder, settings=[SETTINGS[2] | {"local_training": ADAM}])
    assert digest(adam) != digest(short)
    assert adam.settings[0].key.endswith("-e1-optimiser-adam-weight-decay-0.1-clip-norm-1.0")
    again = Grid.model_validate_json(adam.model_dump_json(exclude_defaults=True))
    assert again == adam


def test_long_schedules_have_short_names(folder: Path) -> None:
    """Settings that differ in a long schedule alone have different names."""
    keys = set()
    for last in (0.5, 0.25):
        training = {"learning_rate": 0.1, "batch_size": 1, "epochs": 20, "schedule": [1.0] * 59 + [last]}
        keys.add(grid(folder, settings=[SETTINGS[2] | {"local_training": training}]).settings[0].key)
    assert len(keys) == 2
    assert max(map(len, keys)) < 100


LENET = {"images": "small", "victim": "lenet", "attack": {"preset": "smooth"}}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (LENET | {"attack": {"preset": "magic"}}, "settings.1.attack: expected an attack of dlg, idlg"),
        (LENET | {"attack": {"preset": "closed-form", "restarts": 2}}, "settings.1.attack: expected no options for cl"),
        (
            LENET | {"attack": [{"preset": "dlg"}, {"name": "dlg"}]},
            "settings.1.attack.preset: expected a value",
        ),
        (LENET | {"defense": ["none", "prune:2"]}, "settings.1.defense: expected a share to zero"),
        (LENET | {"mode": "all"}, "settings.1.mode: expected policies as indices"),
        (LENET | {"batch": []}, "settings.1.batch: expected a valid integer, got []"),
        (LENET | {"seconds": 3}, "settings.1: expected a field of images, victim, attack, mode"),
        (LENET | {"local_training": ADAM | {"momentum": 0.9}}, "settings.1.local_training: expected no momentum for"),
        ("smooth", "settings.1: expected a mapping, got 'smooth'"),
    ],
)
def test_mistakes_are_those_of_their_entry(folder: Path, tmp_path: Path, entry: object, line: str) -> None:
    """An entry counts as the file has it, not as its combinations; mistakes elsewhere are told beside it."""
    values = grid(folder).model_dump(mode="json", exclude_defaults=True)
    values["settings"] = [LENET | {"defense": ["none", "sign"]}, entry]
    values["images"]["small"]["count"] = 0
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InvalidConfiguration) as caught:
        Grid.read(path)
    lines = [text.strip() for text in str(caught.value).splitlines()]
    assert "images.small.count: expected a number greater than or equal to 1, got 0" in lines
    assert any(text.startswith(line) for text in lines)


def test_victims_that_images_do_not_fit(folder: Path) -> None:
    """The sources of a grid give square RGB images; a victim of others is refused with another way to attack it."""
    workload = Workload(grid(folder), folder, "cpu")
    attacked = workload._victim("lenet")
    inputs = attacked.inputs.model_copy(update={"size": (16, 24)})
    workload._victims["lenet"] = type(attacked)(attacked.model, inputs, attacked.name)
    with pytest.raises(InvalidConfiguration, match=r"square RGB images.*lenet of 3 channels and \(16, 24\) pixels"):
        workload.check()


def test_wrong_images_in_a_sets_description(tmp_path: Path) -> None:
    """A description whose grid does not say where originals are is refused as such, before any of it is used."""
    home = made_up_set(originals=2, settings=1).write(tmp_path / "set")
    path = home / "dataset.json"
    path.write_text(path.read_text().replace('"size":32', '"size":"small"'))
    with pytest.raises(InvalidDataset, match=r"grid\.images\.set-0\.size: expected a valid integer, got 'small'"):
        DatasetDescription.read(home)
