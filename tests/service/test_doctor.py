"""`semsim doctor`: what it finds on this machine, and what keeps a service from starting."""

import errno
import fcntl
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from semsim_service.host import home as homes
from semsim_service.host import machine_limits
from semsim_service.host.machine_limits import cpu_quota, free_memory, nvidia_driver
from tests.conftest import ROOT
from tests.semsim.commands.conftest import Semsim, semsim  # noqa: F401 - a fixture
from tests.service.test_serve_command import free_neighbours


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, calibrated_artifact: Path) -> Iterator[None]:
    """A small model."""
    monkeypatch.setenv("SEMSIM_ARTIFACT", str(calibrated_artifact))
    return None


def told(findings: list[dict[str, Any]], subject: str) -> list[str]:
    """Everything that is said of a subject, with its state."""
    return [f"{one['state']}: {one['told']}" for one in findings if one["subject"] == subject]


def test_this_machine_is_told(semsim: Semsim) -> None:  # noqa: F811
    """Python, providers, model, memory, threads, disks and addresses are found, for people and for machines."""
    port = free_neighbours()
    shown = semsim("doctor", "--port", port, "--json")
    report = json.loads(shown.stdout)
    assert (shown.returncode, report["would_serve"]) == (0, True)
    findings = report["findings"]
    subjects = {one["subject"] for one in findings}
    assert subjects == {
        "python", "extras", "driver", "provider", "settings", "model", "memory", "threads", "disk", "addresses",
    }  # fmt: skip
    assert "fine: cpu can be used" in told(findings, "provider")
    assert told(findings, "model")[0].startswith("fine: small 0.0.1, fp32, sha256 ")
    assert f"gRPC on 127.0.0.1 port {port + 1}: free" in told(findings, "addresses")[0]
    shown = semsim("doctor", "--port", port)
    assert shown.stdout.splitlines()[-1] == "semsim serve would start"


def test_what_keeps_a_service_from_starting_is_a_problem(
    semsim: Semsim,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A taken port, a model that is no model, a wrong setting and missing packages exit 1 and are named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shown = semsim("doctor", "--port", taken.getsockname()[1])
    assert shown.returncode == 1
    assert "FAIL  addresses" in shown.stdout
    assert "Address already in use" in shown.stdout
    monkeypatch.setenv("SEMSIM_ARTIFACT", str(tmp_path))
    assert "FAIL  settings" in semsim("doctor").stdout
    monkeypatch.setenv("SEMSIM_BATCH_SIZE", "0")
    shown = semsim("doctor", "--json")
    assert told(json.loads(shown.stdout)["findings"], "settings")[0].startswith("problem: expected valid settings")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bentoml" else real(name))
    shown = semsim("doctor")
    assert shown.returncode == 1
    assert "-> pip install 'semsim[serve]'" in shown.stdout


def test_the_home_is_what_a_start_would_find(
    semsim: Semsim,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A home that is a file, that another server has, or that has no room, is a problem."""

    def disk(home: Path) -> list[str]:
        monkeypatch.setenv("BENTOML_HOME", str(home))
        shown = semsim("doctor", "--port", port, "--json")
        report = json.loads(shown.stdout)
        found = told(report["findings"], "disk")
        assert shown.returncode == any(line.startswith("problem") for line in found)
        return found

    port, home = free_neighbours(), tmp_path / "home"
    assert disk(home) == [f"fine: BENTOML_HOME {home} has room for the metrics"]
    assert not home.exists(), "nothing is left behind"
    home.touch()
    assert disk(home)[0].startswith("problem: expected a BENTOML_HOME that can be written")
    (used := tmp_path / "used").mkdir()
    with (used / "semsim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "which another one is using" in disk(used)[0]
    assert disk(used)[0].startswith("fine")
    real = homes._probe

    def probe(folder: Path, size: int) -> None:
        if folder == used:
            raise OSError(failure, os.strerror(failure))
        real(folder, size)

    monkeypatch.setattr(homes, "_probe", probe)
    failure = errno.ENOSPC
    assert "a full disk: 640 KiB" in disk(used)[0]
    failure = errno.EROFS
    assert disk(used) == [f"missing: BENTOML_HOME {used} is read-only: a folder for temporary files is taken instead"]


def test_a_configuration_of_bentoml_that_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    """The examination reads what BentoML will read."""
    environment = os.environ | {"BENTOML_HOME": str(tmp_path), "BENTOML_CONFIG": "/nowhere"}
    command = [sys.executable, "-m", "semsim", "doctor", "--port", str(free_neighbours())]
    shown = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1, shown.stderr
    assert "expected BENTOML_CONFIG that BentoML can read" in shown.stdout


def test_the_system_is_read(tmp_path: Path) -> None:
    """Quotas of both versions of control groups, free memory and the driver's version, where they are told."""
    for name, content in {
        "cpu.max": "150000 100000\n",
        "cpu/cpu.cfs_quota_us": "50000",
        "cpu/cpu.cfs_period_us": "100000",
        "meminfo": "MemTotal: 9 kB\nMemAvailable:       8 kB\n",
        "version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cpu_quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000")
    assert cpu_quota(tmp_path) == 0.5
    assert cpu_quota(tmp_path / "nowhere") is None
    assert free_memory(tmp_path / "meminfo") == 8192
    assert nvidia_driver(tmp_path / "version") == "550.54.15"
    assert free_memory(tmp_path / "none") is nvidia_driver(tmp_path / "none") is None
    assert machine_limits.free_memory() is not None
