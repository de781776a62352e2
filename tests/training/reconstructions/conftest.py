"""Images and a set that several tests read and none changes."""

from pathlib import Path

import pytest

from semsim.bulk.engine import Engine
from semsim_training.reconstructions.generate import generate
from tests.training.reconstructions.small_grid import grid, write_images


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six images."""
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of the small grid, made in this process."""
    out = tmp_path_factory.mktemp("sets") / "here"
    generate(grid(folder), folder, out, engine=Engine.HERE)
    return out
