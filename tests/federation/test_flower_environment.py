"""Flower's tests, a real ``flwr run`` among them, in the environment of their own that Flower's limits ask for."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1400),
    pytest.mark.skipif(shutil.which("make") is None, reason="needs make, which makes Flower's environment"),
]
INHERITED = ("PYTEST_", "MAKE", "MFLAGS", "PYTHONDONTWRITEBYTECODE")
"""The variables of this process that must not reach another pytest or another make."""


def make(target: str, seconds: float) -> tuple[bool, str]:
    """Make a target; True where it was made in the time, and the end of what make and its commands wrote."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(INHERITED)}
    process = subprocess.Popen(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", target], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate()
        return False, f"{output[-3000:]}\nnot made in {seconds} s"
    return process.returncode == 0, output[-3000:]


def test_flowers_tests_pass_in_an_environment_of_their_own() -> None:
    """The environment needs the package index. The tests take half a minute of a quiet machine."""
    is_made, output = make(".venv/flower/.done", 500)
    if not is_made:
        pytest.skip(f"needs .venv/flower, which could not be made: {' '.join(output.split()[-40:])}")
    passed, output = make("test-flower", 800)
    assert passed, output
