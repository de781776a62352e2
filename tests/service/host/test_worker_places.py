"""A spare worker takes a killed one's place, and does what is left of a start. No worker outlives its supervisor."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from semsim.exceptions import InvalidOption
from semsim_service.host.supervised import VARIABLE
from semsim_service.host.worker_places import VARIABLE as PLACES
from semsim_service.host.worker_places import wait_for_place
from tests.conftest import ROOT
from tests.encoded import encode, picture
from tests.service.guarded import serving_workers
from tests.service.live import base64_pair, serving

pytestmark = pytest.mark.slow

_PATIENCE = 60
_QUIET_SECONDS = 0.5
# It starts a worker, of any program that runs for long, as the service's supervisor does.
_SUPERVISOR = f"""
import os, subprocess, sys
os.environ["{VARIABLE}"] = f"{{os.getpid()}}:1"
worker = subprocess.Popen([sys.executable, "-m", "semsim_service.host.worker_entry", "http.server", "0"])
print(worker.pid, flush=True)
worker.wait()
"""


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _seconds_when_quiet(process: psutil.Process) -> float:
    """The processor time of a process, once it takes no more."""
    deadline, before = time.monotonic() + _PATIENCE, 0.0
    while (now := _cpu_seconds(process)) == 0 or now - before > 0.02:
        assert time.monotonic() < deadline
        before = now
        time.sleep(_QUIET_SECONDS)
    return now


def test_a_spare_worker_takes_the_place_of_a_killed_one(tmp_path: Path, calibrated_artifact: Path) -> None:
    """The spare one has done most of a start before. It serves after less than half of what it has taken by then."""
    settings = {"SEMSIM_ARTIFACT": str(calibrated_artifact), "SEMSIM_SPARE_WORKER": "true"}
    image = encode(picture(seed=1))
    with serving(tmp_path, **settings) as live:
        assert live.post([base64_pair(image, image)]).status_code == 200
        counters = tmp_path / "prometheus_multiproc_dir"
        both = serving_workers(live.process)
        (serves,) = [each for each in both if (counters / f"counter_{each.pid}.db").exists()]
        (spare,) = [each for each in both if each.pid != serves.pid]
        before = _seconds_when_quiet(spare)
        serves.kill()
        with httpx.Client(timeout=_PATIENCE, transport=httpx.HTTPTransport(retries=3)) as client:
            answer = client.post(f"{live.url}/score", json={"pairs": [base64_pair(image, image)]})
        assert answer.status_code == 200
        taken = _cpu_seconds(spare) - before
        print(f"{before:.2f} s of processor time before, {taken:.2f} s after")
        assert taken < before / 2
        assert (counters / f"counter_{spare.pid}.db").exists()


def test_a_worker_that_starts_ends_with_its_supervisor() -> None:
    """The kernel ends a worker whose supervisor is killed before the worker itself can look for it."""
    command = [sys.executable, "-c", _SUPERVISOR]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as supervisor:
        assert supervisor.stdout is not None
        worker = psutil.Process(int(supervisor.stdout.readline()))
        deadline = time.monotonic() + _PATIENCE
        while not any(each.status == psutil.CONN_LISTEN for each in worker.net_connections()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert worker.ppid() == supervisor.pid != os.getpid()
        supervisor.kill()
    worker.wait(_PATIENCE)


def test_a_worker_that_cannot_look_for_a_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that may not open its supervisor's file ends. It would be one more than the settings say."""
    monkeypatch.setenv(PLACES, f"{os.getppid()}:999999:1")
    with pytest.raises(InvalidOption, match="for spare_worker, got: No such file"):
        wait_for_place()
    monkeypatch.setenv(PLACES, f"{os.getpid()}:999999:1")
    wait_for_place()
