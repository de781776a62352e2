"""Recognisers, trained small."""

from pathlib import Path

import pytest
import torch

from semsim.exceptions import InvalidDataset
from semsim_training import fitting
from semsim_training.recognition.recogniser import load_recogniser
from semsim_training.recognition.recogniser_configuration import RecogniserTraining
from semsim_training.recognition.recogniser_description import RecogniserDescription
from semsim_training.recognition.recogniser_training import train_recogniser
from tests.training.annotation.sets import write_set


def test_an_interrupted_training_ends_with_the_same_weights(
    place: Path, training: RecogniserTraining, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training stopped after an epoch goes on when it starts again, and ends with the same weights and record."""
    save = fitting.save_training_state

    def stop(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "save_training_state", stop)
    with pytest.raises(KeyboardInterrupt):
        train_recogniser("small", training, 0, place, tmp_path / "cut.safetensors")
    monkeypatch.undo()
    resumed = train_recogniser("small", training, 0, place, tmp_path / "cut.safetensors")
    assert resumed == RecogniserDescription.read(trained / "small-0.json")
    assert resumed.record is not None
    assert resumed.classes == ("class_0", "class_1", "class_2")
    assert not list(tmp_path.glob("*.state.*"))
    first, second = (
        load_recogniser(path).state_dict() for path in (trained / "small-0.safetensors", tmp_path / "cut.safetensors")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_class_without_images_is_named(place: Path, training: RecogniserTraining, tmp_path: Path) -> None:
    """A set with a class that the images lack is refused."""
    write_set(tmp_path / "other", classes=5, originals=5)
    other = training.model_copy(update={"dataset": tmp_path / "other"})
    with pytest.raises(InvalidDataset, match="got none of class_4"):
        train_recogniser("x", other, 0, place, tmp_path / "x.safetensors")
