"""Commands that refuse to start."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SEMSIM_SERVE = (str(Path(sys.executable).parent / "semsim"), "serve")
BENTOML_SERVE = (sys.executable, "-m", "bentoml", "serve")
MODULE = (sys.executable, "-m", "semsim_service")


def refused(home: Path, *arguments: str, command: tuple[str, ...] = SEMSIM_SERVE, **environment: str) -> str:
    """The one line with which a command, in a process of its own, refuses to start."""
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
