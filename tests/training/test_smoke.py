"""The whole way from images to a scored pair."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semsim.manifest import read_manifest
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
def test_smoke_run(tmp_path: Path) -> None:
    """training/runs/smoke.sh runs without any data set, and its artifact says who annotated it."""
    environment = os.environ | {"SEMSIM": str(Path(sys.executable).with_name("semsim")), "PYTHON": sys.executable}
    environment.pop("SEMSIM_DATA", None)
    done = subprocess.run(
        [ROOT / "training" / "runs" / "smoke.sh", tmp_path / "smoke"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    manifest = read_manifest(tmp_path / "smoke" / "artifact")
    assert [annotators.kind for annotators in manifest.training.annotators] == ["classifier"]
    assert manifest.calibration is not None
    card = (tmp_path / "smoke" / "artifact" / "README.md").read_text()
    assert "**Judged by classifiers.** No person has judged" in card
    assert "human" not in card
    for name in ("artifact/reliability.png", "gallery.png", "sheets/sheet-1.png", "report/report.html"):
        assert (tmp_path / "smoke" / name).stat().st_size > 1000, name
