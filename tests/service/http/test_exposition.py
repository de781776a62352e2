"""The numbers of all workers, also where some were killed."""

import os
import subprocess
from pathlib import Path

import pytest

from semsim_service.http.exposition import forget_dead_workers


def test_two_scrapes_may_forget_the_same_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed worker's files may be gone when a second scrape comes to them, which is no error."""
    killed = subprocess.Popen(["true"])
    killed.wait()
    (tmp_path / f"gauge_livesum_{killed.pid}.db").touch()
    remove = os.remove

    def as_the_second(path: str) -> None:
        remove(path)
        remove(path)

    monkeypatch.setattr(os, "remove", as_the_second)
    forget_dead_workers(tmp_path)
    assert not list(tmp_path.iterdir())
