"""A small reconstruction set, and a quick folder, that the tests of the page share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.annotation.sets import write_set


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve reconstructions of six originals of three classes."""
    return write_set(tmp_path_factory.mktemp("sets") / "small")


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where the system has one: a database there waits for no disk."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
