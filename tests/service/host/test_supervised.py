"""A worker and its supervisor: the worker goes when the supervisor is gone, and says why it cannot start."""

import os
import subprocess
import sys

import psutil
import pytest

from semsim.exceptions import InvalidGraph
from semsim_service.host.supervised import REFUSED, VARIABLE, starting
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# The worker says that it runs, and then either sleeps or holds on to the interpreter, as a model that is loaded may.
_WORKER = """
import os, signal, sys, time
from semsim_service.host.supervised import SupervisorTie
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
SupervisorTie.of_environment().follow(1.0)
print(os.getpid(), flush=True)
while True:
    time.sleep(0 if sys.argv[1] == "busy" else 0.1)
"""
_SUPERVISOR = f"""
import os, subprocess, sys
os.environ["{VARIABLE}"] = f"{{os.getpid()}}:1"
subprocess.run([sys.executable, "-c", {_WORKER!r}, sys.argv[1]])
"""
_PATIENCE = 20


@pytest.mark.parametrize("manner", ["idle", "busy", "stubborn"])
def test_a_worker_stops_when_its_supervisor_is_killed(manner: str) -> None:
    """A worker whose supervisor is killed, and so cannot tell it to stop, goes all the same and frees its ports."""
    command = [sys.executable, "-c", _SUPERVISOR, manner]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        worker = psutil.Process(int(supervisor.stdout.readline()))
        assert worker.ppid() == supervisor.pid
        supervisor.kill()
    worker.wait(_PATIENCE)


_REFUSED = """
from semsim.exceptions import InvalidGraph
from semsim_service.host.supervised import starting
with starting():
    raise InvalidGraph("expected a graph that runs")
"""


def test_a_supervised_worker_says_in_one_line_why_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused start of a supervised worker is one line and an exit status; elsewhere it is an error as any."""
    environment = os.environ | {VARIABLE: f"{os.getpid()}:1"}
    ended = subprocess.run(
        [sys.executable, "-c", _REFUSED], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == REFUSED
    assert ended.stderr == "error [invalid_graph]: expected a graph that runs\n"
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InvalidGraph), starting():
        raise InvalidGraph("expected a graph that runs")
