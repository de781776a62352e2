"""`make endurance`: each of the three proofs has its say, and so have the attacks by volume."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROOFS = ("benchmarks.soak", "benchmarks.overload", "benchmarks.malformed", "pytest")


@pytest.mark.parametrize("failing", [*PROOFS, "none"])
def test_a_fault_does_not_stop_the_others(failing: str, tmp_path: Path) -> None:
    """All of them run, whichever finds a fault; then make fails."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    python = tmp_path / "dev" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "ran $2"\n[ "$2" != {failing} ]\n')
    python.chmod(0o755)
    (tmp_path / "dev" / ".done").touch()
    done = subprocess.run(
        ["make", "--silent", "endurance", f"DEV={tmp_path / 'dev'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [f"ran {proof}" for proof in PROOFS]
    assert (done.returncode == 0) == (failing == "none")
