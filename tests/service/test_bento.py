"""`bentoml build`: a bento with everything in it, that gives the same scores."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import semsim
from semsim import Scorer
from tests.conftest import IMAGES, ROOT
from tests.service.live import base64_pair, serving


def test_a_built_bento_serves_the_same_scores(tmp_path: Path, bundled: Scorer) -> None:
    """The bento, served away from the source tree, scores as the library does."""
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    tag = built.stdout.strip().removeprefix("__tag__:")
    bento = home / "bentos" / tag.replace(":", "/")
    shipped = {path.relative_to(bento / "src").parts[0] for path in (bento / "src").rglob("*") if path.is_file()}
    assert {"semsim", "service", "models"} <= shipped
    assert not shipped & {"tests", "training", "export", "benchmarks", ".venv", ".git"}
    # The project is installed here, too: a version of its own shows that the bento runs its own source.
    source = bento / "src" / "semsim" / "__init__.py"
    source.write_text(source.read_text().replace(semsim.__version__, "99.0.0"))
    command = [sys.executable, "-m", "bentoml", "serve", tag]
    reconstructions = ("cat.jpg", "cat_blurred.png", "coffee.jpg")
    original = (IMAGES / "cat.jpg").read_bytes()
    with serving(home, command, cwd=tmp_path) as live:
        pairs = [base64_pair(original, (IMAGES / name).read_bytes()) for name in reconstructions]
        results = live.post(pairs).json()["results"]
        assert httpx.get(f"{live.url}/model").json()["service_version"] == "99.0.0"
    expected = [bundled.score(original, IMAGES / name).distance for name in reconstructions]
    assert [result["distance"] for result in results] == pytest.approx(expected, abs=1e-5)
