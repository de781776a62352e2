"""`service/bento.py`: the service of a checkout under `bentoml serve`, and of a bento."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import psutil
import pytest

import semsim
from semsim import Scorer
from tests.bento import Bento
from tests.conftest import IMAGES
from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair, serving

pytestmark = pytest.mark.slow


def _python_without_project(directory: Path) -> Path:
    """A Python with all packages of this one, but for those that are installed as links to a working tree."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return directory / "bin" / "python"


def test_bentoml_serve_listens_on_loopback(service: LiveService) -> None:
    """`bentoml serve` from the repository root, which is how ``service`` is started, scores, on 127.0.0.1 only."""
    assert psutil.Process(service.process).cmdline()[-4:-2] == ["bentoml", "serve"]
    image = encode(picture())
    assert service.post([base64_pair(image, image)]).json()["results"][0]["distance"] == 0
    port = int(service.url.rpartition(":")[2])
    listening = [
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_built_bento_serves_the_same_scores(bento: Bento, tmp_path: Path, bundled: Scorer) -> None:
    """The bento, served away from the source tree, scores as the library does."""
    files = bento.directory / "src"
    shipped = {path.relative_to(files).parts[0] for path in files.rglob("*") if path.is_file()}
    assert {"semsim", "service", "models"} <= shipped
    assert not shipped & {"tests", "training", "export", "benchmarks", ".venv", ".git"}
    # Where the project is installed, too, a version of its own shows that the bento runs its own source.
    source = files / "semsim" / "__init__.py"
    source.write_text(source.read_text().replace(semsim.__version__, "99.0.0"))
    command = [str(_python_without_project(tmp_path / "bare")), "-m", "bentoml", "serve", bento.tag]
    reconstructions = ("cat.jpg", "cat_blurred.png", "coffee.jpg")
    original = (IMAGES / "cat.jpg").read_bytes()
    with serving(bento.home, command, cwd=tmp_path) as live:
        pairs = [base64_pair(original, (IMAGES / name).read_bytes()) for name in reconstructions]
        results = live.post(pairs).json()["results"]
        assert CLIENT.get(f"{live.url}/model").json()["service_version"] == "99.0.0"
        assert CLIENT.get(f"{live.url}/page/try.js").status_code == 200
    expected = [bundled.score(original, IMAGES / name).distance for name in reconstructions]
    assert [result["distance"] for result in results] == pytest.approx(expected, abs=1e-5)
