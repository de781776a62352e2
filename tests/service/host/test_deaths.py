"""The cause of a worker's death, in a word and in a sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from semsim_service.host import worker_watch
from semsim_service.host.deaths import DeathCause, death_cause, describe_death, shrink_pages
from semsim_service.observing.pages import PAGE_BYTES, AllocatedPages


def status_of(program: str) -> int:
    """The status with which a Python program ends."""
    process = subprocess.Popen([sys.executable, "-S", "-c", program])
    status = os.waitpid(process.pid, 0)[1]
    process.returncode = 0  # its status is taken
    return status


@pytest.mark.parametrize(
    ("program", "out_of_memory", "cause", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", False, DeathCause.KILLED, "SIGKILL ended it, sent by somebody, or"),
        ("import os; os.kill(os.getpid(), 9)", True, DeathCause.OUT_OF_MEMORY, "the memory limit of 512 MiB of its"),
        ("import os; os.kill(os.getpid(), 7)", False, DeathCause.BUS_ERROR, "SIGBUS ended it, as happens where a disk"),
        ("import os; os.kill(os.getpid(), 11)", True, DeathCause.SEGMENTATION_FAULT, "SIGSEGV ended it"),
        ("import os; os.abort()", False, DeathCause.ABORTED, "SIGABRT ended it"),
        ("import os; os.kill(os.getpid(), 15)", False, DeathCause.SIGNAL, "SIGTERM ended it"),
        ("raise SystemExit(3)", True, DeathCause.FAILED, "it ended by itself with exit status 3"),
        ("", False, DeathCause.ENDED, "it ended by itself with exit status 0"),
    ],
)
def test_each_death_has_its_cause(program: str, out_of_memory: bool, cause: DeathCause, words: str) -> None:
    """The status of a real process gives the cause and the sentence."""
    assert signal.SIGBUS == 7
    status = status_of(program)
    assert death_cause(status, out_of_memory=out_of_memory) is cause
    assert words in describe_death(status, cause, 512 * 2**20)


def test_a_decoder_that_was_killed_for_memory_is_no_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel's count rises at each process of the group. Only a worker's death beside its rise is told by it."""
    counts = iter((0, 1, 1, 1, 1, 2))  # at the start, at the looks, at each death
    monkeypatch.setattr(worker_watch, "memory_kills", lambda: next(counts))
    readable, _ = os.pipe()
    os.set_blocking(readable, False)
    watch = worker_watch.WorkerWatch(None, readable)
    for _ in range(2):
        watch.hear()
    watch.died(7, signal.SIGKILL, 100.0)
    watch.hear()
    watch.died(8, signal.SIGKILL, 100.0)
    assert ["[killed]" in record.message for record in caplog.records] == [True, False]
    assert "[out_of_memory]" in caplog.records[1].message


def test_a_dead_worker_gives_its_room_back(tmp_path: Path) -> None:
    """Its counters stay, as short as they are; its gauges are gone; another worker's pages stay as they were."""
    for name in ("counter_7.db", "gauge_livesum_7.db", "counter_77.db"):
        AllocatedPages(str(tmp_path / name)).write_value("key", 3.0, 0.0)
    shrink_pages(tmp_path, 7)
    assert {path.name: path.stat().st_size < PAGE_BYTES for path in tmp_path.iterdir()} == {
        "counter_7.db": True,
        "counter_77.db": False,
    }
    ((key, value, *_),) = MmapedDict.read_all_values_from_file(str(tmp_path / "counter_7.db"))
    assert (key.strip(), value) == ("key", 3.0)
