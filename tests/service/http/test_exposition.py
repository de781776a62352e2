"""The numbers of all workers, also where some were killed."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from semsim_service.http import exposition
from semsim_service.http.exposition import Scrapes, forget_dead_workers


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


def test_scrapes_in_a_row_are_answered_with_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten scrapes the numbers are read once a second, however many ask."""
    read = []
    monkeypatch.setattr(exposition, "exposition", lambda *_: read.append(1) or b"%d" % len(read))

    async def scrape() -> None:
        scrapes = Scrapes()
        answers = await asyncio.gather(*(scrapes.answer() for _ in range(100)))
        assert [int(answer.body) for answer in answers] == [*range(1, 11), *[10] * 90]
        scrapes._refilled -= 1  # a second passes
        assert [int((await scrapes.answer()).body) for _ in range(3)] == [11] * 3

    asyncio.run(scrape())
