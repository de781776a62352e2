"""Reconstruction sets that the tests of items, contact sheets and tasks share."""

import shutil
from pathlib import Path

import pytest

from tests.training.annotation.sets import write_set


@pytest.fixture(scope="session")
def wide_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """330 reconstructions of thirty originals of ten classes, in eleven settings; a third is of the split test."""
    directory = tmp_path_factory.mktemp("sets") / "wide"
    return write_set(directory, classes=10, originals=30, settings=11, name="secretset", size=64)


@pytest.fixture
def without_originals(tmp_path: Path) -> Path:
    """Twelve reconstructions of six originals that are not there."""
    directory = write_set(tmp_path / "without-originals")
    shutil.rmtree(directory / "originals")
    return directory
