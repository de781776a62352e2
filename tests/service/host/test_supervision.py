"""Workers that die are replaced at once, and told of; a service whose workers cannot start ends."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from tests.conftest import ROOT
from tests.service.host.supervised_sleepers import READY
from tests.service.live import wait_until

pytestmark = pytest.mark.slow

_PATIENCE = 30


@contextmanager
def supervising(metrics: Path, program: str = READY) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor of one worker that runs ``program``."""
    command = [sys.executable, "-m", "tests.service.host.supervised_sleepers", str(metrics), program]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as supervisor:
        try:
            yield supervisor
        finally:
            supervisor.terminate()
            with suppress(subprocess.TimeoutExpired):
                supervisor.wait(_PATIENCE)
            supervisor.kill()


def worker(supervisor: "subprocess.Popen[str]", metrics: Path, *others: int) -> psutil.Process:
    """The worker that has told that it is ready, and is none of ``others``."""

    def ready() -> list[psutil.Process]:
        children = psutil.Process(supervisor.pid).children()
        return [child for child in children if child.pid not in others and (metrics / f"ready_{child.pid}").exists()]

    wait_until(lambda: bool(ready()))
    return ready()[0]


def deaths(metrics: Path) -> dict[str, float]:
    """The deaths that ``/metrics`` of any worker would show, by cause, without those that did not happen."""
    collected = MultiProcessCollector(CollectorRegistry(), str(metrics)).collect()
    (family,) = [family for family in collected if family.name == "semsim_worker_deaths"]
    assert family.samples[0].name == "semsim_worker_deaths_total"
    return {sample.labels["cause"]: sample.value for sample in family.samples if sample.value}


def test_sighup_ends_no_worker_that_cannot_handle_it_yet(tmp_path: Path) -> None:
    """The signal waits in a worker from its first moment on: while it imports what handles the signal, too."""
    with supervising(tmp_path) as supervisor:
        starting = worker(supervisor, tmp_path)
        starting.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert starting.is_running()
        assert starting.status() != psutil.STATUS_ZOMBIE


def test_a_dead_worker_is_replaced_at_once_and_its_death_is_told(tmp_path: Path) -> None:
    """A killed worker is replaced within seconds. A log line and a metric name the cause."""
    with supervising(tmp_path) as supervisor:
        assert supervisor.stderr is not None
        victim = worker(supervisor, tmp_path)
        for number, (sent, cause) in enumerate([(signal.SIGKILL, "killed"), (signal.SIGBUS, "bus_error")], start=1):
            victim.send_signal(sent)
            began = time.monotonic()
            line = supervisor.stderr.readline()
            assert re.match(rf"worker {victim.pid} died after \d+\.\d s \[{cause}\]: {sent.name} ended it", line), line
            victim = worker(supervisor, tmp_path, victim.pid)
            assert time.monotonic() - began < 5
            assert sum(deaths(tmp_path).values()) == number
        assert deaths(tmp_path) == {"killed": 1, "bus_error": 1}


def test_nobody_commands_the_supervisor_over_the_network(tmp_path: Path) -> None:
    """The supervisor listens on no address: circus' control port takes commands to run from anybody."""
    with supervising(tmp_path) as supervisor:
        worker(supervisor, tmp_path)
        assert [c for c in psutil.Process(supervisor.pid).net_connections() if c.status == psutil.CONN_LISTEN] == []


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('a long trace')", r"a long trace\nworker .*exit status 1.*the service ends\n$"),
        ("import os; os.write(2, b'error [x]: told\\n'); os._exit(2)", r"error \[x\]: told\n$"),
        (
            "import os; os.kill(os.getpid(), 9)",
            r"(worker .* starts .*\n){2}worker .* No worker has ever been.*\n$",
        ),
    ],
    ids=["failed", "refused", "killed"],
)
def test_a_service_whose_workers_cannot_start_ends(tmp_path: Path, program: str, said: str) -> None:
    """A service of which no worker was ever ready ends with exit code 2, after a line, and not in a loop for ever."""
    with supervising(tmp_path, program) as supervisor:
        _, errors = supervisor.communicate(timeout=_PATIENCE)
        assert supervisor.returncode == 2
        assert re.match(said, errors), errors


def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """A worker that ignores SIGTERM is killed after its grace, which is two seconds here."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY
    with supervising(tmp_path, stubborn.replace("; \n", "\n")) as supervisor:
        stays = worker(supervisor, tmp_path)
        supervisor.terminate()
        assert supervisor.wait(_PATIENCE) == 0
        assert not stays.is_running()
