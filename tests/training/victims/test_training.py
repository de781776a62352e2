"""The training, checkpoints and descriptions of victims."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from semsim.exceptions import InvalidConfiguration, InvalidDataset, InvalidVictim
from semsim_training.client_images.folder import load_folder
from semsim_training.client_images.source import ImageSource
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Architecture, Network
from semsim_training.victims.schedule import SCHEDULES, Schedule, VictimTraining, VictimTrainings
from semsim_training.victims.victim_checkpoint import load_victim, load_weights, read_tensors
from semsim_training.victims.victim_table import victim_table
from semsim_training.victims.victim_training import train_victim
from tests.training.small import smooth_images, victim

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright images, twelve each."""
    root = tmp_path_factory.mktemp("classes")
    for index, image in enumerate(smooth_images(24, 16)):
        path = root / ("bright" if index % 2 else "dark") / f"{index:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image // 4 + (190 if index % 2 else 0)).save(path)
    return root


def training(folder: Path, **changes: object) -> VictimTraining:
    """A narrow ResNet20 that trains for three epochs, with changes."""
    source = {"folder": str(folder), "size": 16}
    values: dict[str, object] = {
        "network": {"architecture": "resnet20", "width": 4, "classes": 2, "size": 16},
        "train": source,
        "test": source,
        "schedule": {"epochs": 3, "batch_size": 8, "learning_rate": 0.05},
        "mode": "crop",
    }
    return VictimTraining.model_validate(values | changes)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a victim without changes."""
    path = tmp_path_factory.mktemp("victim") / "whole.safetensors"
    train_victim(training(folder), path)
    return path


def test_interrupted_training_ends_at_the_same_weights(folder: Path, trained: Path, tmp_path: Path) -> None:
    """A run cut off in its last epoch goes on after the one before, to the same bytes."""
    record = load_victim(trained)[1].training
    assert record is not None
    assert (record.images, record.epochs, record.mode) == (24, 3, "crop")

    def stop(step: str, done: int, _: int) -> None:
        if (step, done) == ("epoch 3", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_victim(training(folder), tmp_path / "cut.safetensors", progress=stop)
    assert not (tmp_path / "cut.safetensors").exists()
    train_victim(training(folder), tmp_path / "cut.safetensors")
    assert (tmp_path / "cut.safetensors").read_bytes() == trained.read_bytes()
    assert (tmp_path / "cut.json").read_text() == trained.with_suffix(".json").read_text()
    assert not list(tmp_path.glob("*.state.*"))


@pytest.mark.parametrize("changes", [{"mode": "3-1-7"}, {"defense": "prune:0.7"}, {"defense": "gaussian:1e-3"},
                                     {"mixed_precision": True}])  # fmt: skip
def test_modes_and_defenses_change_the_training(
    folder: Path, trained: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    """Policies, defended gradients and mixed precision run, and lead to other weights."""
    train_victim(training(folder, **changes), tmp_path / "changed.safetensors")
    plain, changed = (load_victim(path)[0].state_dict() for path in (trained, tmp_path / "changed.safetensors"))
    assert not torch.equal(plain["conv1.weight"], changed["conv1.weight"])
    assert all(torch.isfinite(value).all() for value in changed.values())


def test_the_papers_schedule() -> None:
    """The rate is 0.1, divided by ten at 3/8, 5/8 and 7/8 of 200 epochs."""
    paper = SCHEDULES["paper-cifar100"]
    rates = [paper.rate(epoch) for epoch in (0, 74, 75, 124, 125, 174, 175, 199)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4])
    assert (paper.batch_size, paper.weight_decay, paper.loss_scale) == (64, 5e-4, 0.5)


def test_configurations_that_contradict_themselves(folder: Path, tmp_path: Path) -> None:
    """The errors name unknown schedules, other sizes and unknown keys."""
    with pytest.raises(ValidationError, match="expected a schedule of paper-cifar100"):
        training(folder, schedule="long")
    with pytest.raises(ValidationError, match="expected images of the network's 16 pixels, got 32 for training"):
        training(folder, train={"folder": str(folder), "size": 32})
    path = tmp_path / "victims.yaml"
    path.write_text("victims: {a: {netwrok: 1}}")
    with pytest.raises(InvalidConfiguration, match="netwrok"):
        VictimTrainings.read(path)
    with pytest.raises(InvalidConfiguration, match="expected a configuration at"):
        VictimTrainings.read(tmp_path / "none.yaml")
    assert Schedule(epochs=1).rate(0) == pytest.approx(0.1)


def test_folders_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    """The errors name a missing folder, missing classes, an empty class and an unreadable image."""
    with pytest.raises(InvalidDataset, match="expected a folder of class folders, got"):
        load_folder(tmp_path / "nowhere", 16)
    (tmp_path / "a").mkdir()
    with pytest.raises(InvalidDataset, match="at least two class folders"):
        load_folder(tmp_path, 16)
    (tmp_path / "b").mkdir()
    with pytest.raises(InvalidDataset, match=r"expected PNG, JPEG or WebP files below .*a, got none"):
        load_folder(tmp_path, 16)
    for name in ("a", "b"):
        Image.fromarray(smooth_images(1, 16)[0]).save(tmp_path / name / "fine.png")
    (tmp_path / "b" / "worse.png").write_bytes(b"not an image")
    with pytest.raises(InvalidDataset, match=r"expected a readable image at .*worse\.png"):
        load_folder(tmp_path, 16)
    with pytest.raises(InvalidDataset, match="expected the variable in"):
        ImageSource(folder=Path("$NO_SUCH_VARIABLE/x"), size=16).load()
    with pytest.raises(InvalidDataset, match="labels below the network's 2 classes"):
        three = {"folder": str(folder), "size": 16}
        (folder / "third").mkdir()
        Image.fromarray(smooth_images(1, 16)[0]).save(folder / "third" / "x.png")
        train_victim(training(folder, train=three), tmp_path / "x.safetensors")


def test_held_out_shares_do_not_overlap(folder: Path) -> None:
    """Training and test parts of a folder are all of it, and no image is in both."""
    parts = [ImageSource(folder=folder, size=16, test_share=0.3, split=split).load() for split in ("train", "test")]  # type: ignore[arg-type]
    names = [set(part.identifiers) for part in parts]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == len(load_folder(folder, 16))


def test_weights_of_another_network(tmp_path: Path) -> None:
    """The errors name tensors, shapes, values and files that are not the victim's."""
    model = victim("lenet").model
    with pytest.raises(InvalidVictim, match=r"missing classifier.bias, .* not the network's features.0.bias"):
        weights = {name: value for name, value in model.state_dict().items() if not name.startswith("classifier")}
        load_weights(victim("perceptron", 32).model, weights, "file")
    wrong = model.state_dict() | {"classifier.bias": torch.zeros(3)}
    with pytest.raises(InvalidVictim, match=r"expected classifier.bias of shape \(10,\) in file, got \(3,\)"):
        load_weights(model, wrong, "file")
    with pytest.raises(InvalidVictim, match="expected finite weights in file"):
        load_weights(model, model.state_dict() | {"classifier.bias": torch.full((10,), torch.inf)}, "file")
    (tmp_path / "x.safetensors").write_bytes(b"junk")
    with pytest.raises(InvalidVictim, match="expected a file of tensors"):
        read_tensors(tmp_path / "x.safetensors")
    torch.save([1, 2], tmp_path / "x.pt")
    with pytest.raises(InvalidVictim, match=r"expected a state dict .* got list"):
        read_tensors(tmp_path / "x.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "lone.safetensors")
    with pytest.raises(InvalidVictim, match=r"expected a victim's description at .*lone\.json"):
        load_victim(tmp_path / "lone.safetensors")


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_architecture_builds_the_same_from_a_seed(architecture: Architecture) -> None:
    """Two builds of a seed agree, in evaluation mode; logits have a column a class."""
    network = Network(architecture=architecture, classes=7, size=32)
    one, two = build_network(network, 3), build_network(network, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not one.training
    assert one(torch.from_numpy(np.zeros((2, 3, 32, 32), dtype=np.float32))).shape == (2, 7)


def test_networks_that_cannot_be_built() -> None:
    """The errors name options that an architecture does not have."""
    with pytest.raises(InvalidVictim, match="expected no width for lenet, got 3"):
        build_network(Network(architecture=Architecture.LENET, width=3, classes=2, size=32), 0)
    with pytest.raises(InvalidVictim, match="expected lenet for the uniform initialisation"):
        build_network(Network(architecture=Architecture.RESNET20, classes=2, size=32), 0, "uniform")
    with pytest.raises(InvalidVictim, match="expected a vit of a width in 32s"):
        build_network(Network(architecture=Architecture.VIT, width=33, classes=2, size=32), 0)
    with pytest.raises(InvalidVictim, match="expected a resnet20-gn of a width in 4s, got 6"):
        build_network(Network(architecture=Architecture.RESNET20_GN, width=6, classes=2, size=32), 0)


def test_a_table_of_victims(trained: Path, tmp_path: Path) -> None:
    """Each victim has a row with its record; a state of a training that goes on has none, and no victim is an error."""
    shutil.copytree(trained.parent, tmp_path / "victims")
    (tmp_path / "victims" / "other.state.safetensors").touch()
    record = load_victim(trained)[1].training
    assert record is not None
    rows = victim_table(tmp_path / "victims").splitlines()[2:]
    assert sum(row.startswith("| `whole` | resnet20-w4 at 16 |") for row in rows) == 1
    assert f"| crop | none | {record.test_accuracy:.1%} of 24 |" in rows[-1]
    assert not any("other" in row for row in rows)
    with pytest.raises(InvalidVictim, match="expected trained victims in"):
        victim_table(tmp_path)
