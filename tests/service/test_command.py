"""`semsim serve` and `bentoml serve`: what they refuse before a worker starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

COMMANDS = ((str(Path(sys.executable).parent / "semsim"), "serve"), (sys.executable, "-m", "bentoml", "serve"))


def refused(home: Path, *arguments: str, command: tuple[str, ...] = COMMANDS[0], **environment: str) -> str:
    """What a command says when it refuses to start, in one line."""
    shown = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"} | environment,
    )
    assert shown.returncode == 2, shown.stderr
    assert shown.stderr.count("\n") == 1, shown.stderr
    return shown.stderr


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_in_use_is_one_line(tmp_path: Path, family: socket.AddressFamily, host: str) -> None:
    """A port that somebody listens on is named."""
    try:
        taken = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"needs {host}")
    with taken:
        port = taken.getsockname()[1]
        assert f"got {host} port {port}: Address already in use" in refused(
            tmp_path, "--host", host, "--port", str(port)
        )


def test_a_host_that_is_no_address_is_one_line(tmp_path: Path) -> None:
    """BentoML listens on addresses, not on names."""
    assert "expected --host to be an IP address, got localhost" in refused(tmp_path, "--host", "localhost")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SEMSIM_ARTIFACT": "/nowhere"}, "error [artifact_not_found]: expected"),
        ({"SEMSIM_LIMIT__PAIRS": "3"}, "did you mean SEMSIM_LIMITS__PAIRS?"),
        ({"SEMSIM_LIMITS__PAIRS": "0"}, "error [invalid_option]: expected"),
        (
            {"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"},
            "error [provider_unavailable]: expected cuda in the order cpu",
        ),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=["semsim", "bentoml"])
def test_wrong_settings_are_one_line(
    tmp_path: Path, command: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    """A wrong setting, artifact or provider ends either command with the reason: no worker fails again and again."""
    assert told in refused(tmp_path, command=command, **environment)
