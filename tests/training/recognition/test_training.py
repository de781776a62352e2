"""Recognisers, trained small."""

from pathlib import Path

import numpy as np
import pytest
import torch

from semsim.exceptions import InvalidAnnotations, InvalidCheckpoint, InvalidDataset
from semsim_training import fitting
from semsim_training.annotation.classifier import judge, load_recognisers
from semsim_training.annotation.items import ItemSet, Shown, gold_items
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.images.source import ImageSource
from semsim_training.recognition.recogniser import load_recogniser
from semsim_training.recognition.recogniser_training import RecogniserTraining, train_recogniser
from tests.training.annotation.page.sets import png, write_set


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reconstruction set of three classes, and a folder with images of them and of a fourth."""
    base = tmp_path_factory.mktemp("recognition")
    write_set(base / "set", originals=6)
    for label in range(4):
        folder = base / "images" / f"class_{label}"
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / f"{number}.png").write_bytes(png(100 * label + number, 16))
    return base


def small(place: Path, **changed: object) -> RecogniserTraining:
    """A training of seconds."""
    fields: dict[str, object] = {
        "dataset": Path("set"),
        "images": ImageSource(folder=place / "images", size=16),
        "architecture": "test_resnet",
        "mean": (127, 127, 127),
        "std": (64, 64, 64),
        "resolution": 32,
        "epochs": 2,
        "epoch_images": 32,
        "batch_size": 8,
    }
    return RecogniserTraining.model_validate(fields | changed)


def test_an_interrupted_training_ends_with_the_same_weights(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after an epoch and started again, it goes on, and its record is the one of the weights on disk."""
    whole = train_recogniser("small", small(place), 0, place, tmp_path / "whole.safetensors")
    save = fitting.save_state

    def stop(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "save_state", stop)
    with pytest.raises(KeyboardInterrupt):
        train_recogniser("small", small(place), 0, place, tmp_path / "cut.safetensors")
    monkeypatch.undo()
    resumed = train_recogniser("small", small(place), 0, place, tmp_path / "cut.safetensors")
    assert resumed == whole
    assert resumed.classes == ("class_0", "class_1", "class_2")
    assert not list(tmp_path.glob("*.state.*"))
    first, second = (load_recogniser(tmp_path / f"{name}.safetensors").state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_classifier_judges_what_it_knows_clean(place: Path, tmp_path: Path) -> None:
    """Gold always, reconstructions of the originals that it recognised; always as a classifier, with its confidence."""
    train_recogniser("small", small(place), 0, place, tmp_path / "small-0.safetensors")
    items = ItemSet.of(place / "set")
    (recogniser,) = load_recognisers(tmp_path, items)
    gold = gold_items(place / "set", clean=6, noise=4, seed=0)
    found = judge(items, gold, recogniser, floor=0.0)
    assert {one.kind for one in found} == {AnnotatorKind.CLASSIFIER}
    known = {one.item for one in found if one.shown is Shown.CLEAN and one.recognised}
    images = {one.identifier: one.image for one in gold}
    expected = {item.identifier for item in items.items if item.image in {images[name] for name in known}}
    assert {one.item for one in found if one.shown is Shown.RECONSTRUCTION} == expected
    assert {one.item for one in found if one.shown is not Shown.RECONSTRUCTION} == set(images)
    assert all(one.confidence is not None and 1 / 3 <= one.confidence <= 1 for one in found)
    assert all(one.answer is None for one in judge(items, gold, recogniser, floor=1.0))


def test_probabilities_do_not_hang_on_the_batch(place: Path, tmp_path: Path) -> None:
    """One at a time or all at once, mirrored or not."""
    train_recogniser("small", small(place), 0, place, tmp_path / "small-0.safetensors")
    recogniser = load_recogniser(tmp_path / "small-0.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    together = recogniser.probabilities(images)
    np.testing.assert_allclose(recogniser.probabilities(images, batch_size=1), together, atol=1e-5)
    np.testing.assert_allclose(recogniser.probabilities(images[:, :, ::-1]), together, atol=1e-5)
    np.testing.assert_allclose(together.sum(1), 1)


def test_what_does_not_do_is_named(place: Path, tmp_path: Path) -> None:
    """A class without images, recognisers of other classes, damaged weights."""
    write_set(tmp_path / "other", classes=5, originals=5)
    with pytest.raises(InvalidDataset, match="got none of class_4"):
        train_recogniser("x", small(place, dataset=tmp_path / "other"), 0, place, tmp_path / "x.safetensors")
    train_recogniser("small", small(place), 0, place, tmp_path / "small-0.safetensors")
    with pytest.raises(InvalidAnnotations, match=r"the 5 classes of small in .*, got small-0"):
        next(load_recognisers(tmp_path, ItemSet.of(tmp_path / "other")))
    (tmp_path / "small-0.safetensors").write_bytes(b"no")
    with pytest.raises(InvalidCheckpoint, match="expected a recogniser's weights"):
        load_recogniser(tmp_path / "small-0.safetensors")
