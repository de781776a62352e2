"""A small reconstruction set that the tests of the page share."""

from pathlib import Path

import pytest

from tests.training.annotation.sets import write_set


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve reconstructions of six originals of three classes."""
    return write_set(tmp_path_factory.mktemp("sets") / "small")
