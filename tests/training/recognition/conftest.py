"""A small reconstruction set, and a recogniser of its classes that is trained once."""

from pathlib import Path

import pytest

from semsim_training.client_images.source import ImageSource
from semsim_training.recognition.recogniser_configuration import RecogniserTraining
from semsim_training.recognition.recogniser_training import train_recogniser
from tests.training.annotation.sets import png, write_set


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a reconstruction set of three classes, and images of these classes and of a fourth."""
    base = tmp_path_factory.mktemp("recognition")
    write_set(base / "set", originals=6)
    for label in range(4):
        folder = base / "images" / f"class_{label}"
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / f"{number}.png").write_bytes(png(100 * label + number, 16))
    return base


@pytest.fixture(scope="session")
def training(place: Path) -> RecogniserTraining:
    """A training of seconds."""
    return RecogniserTraining(
        dataset=Path("set"),
        images=ImageSource(folder=place / "images", size=16),
        architecture="test_resnet",
        mean=(127, 127, 127),
        std=(64, 64, 64),
        resolution=32,
        epochs=2,
        epoch_images=32,
        batch_size=8,
    )


@pytest.fixture(scope="session")
def trained(place: Path, training: RecogniserTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the trained recogniser ``small-0``."""
    directory = tmp_path_factory.mktemp("trained")
    train_recogniser("small", training, 0, place, directory / "small-0.safetensors")
    return directory
