"""What many tests share: data where it is to be had, example photographs, and a small real artifact."""

import os
from pathlib import Path

import pytest

from semsim import Scorer
from semsim.providers import Provider, ProviderSettings
from tests.artifacts import write_artifact

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "examples" / "images"
CPU = ProviderSettings(order=(Provider.CPU,))


@pytest.fixture(scope="session")
def data() -> Path:
    """The directory of real data sets, named by SEMSIM_DATA."""
    path = Path(os.environ.get("SEMSIM_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"needs the data sets: set SEMSIM_DATA (no directory at {path})")
    return path


@pytest.fixture(scope="session")
def small_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with a small random network, not calibrated."""
    return write_artifact(tmp_path_factory.mktemp("artifact") / "small")


@pytest.fixture(scope="session")
def calibrated_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with a logistic calibration."""
    calibration = {"kind": "logistic", "slope": 2.0, "intercept": -1.0}
    return write_artifact(tmp_path_factory.mktemp("artifact") / "calibrated", calibration=calibration, threshold=0.5)


@pytest.fixture(scope="session")
def small_scorer(small_artifact: Path) -> Scorer:
    """A scorer of the small artifact."""
    return Scorer(small_artifact, providers=CPU)


@pytest.fixture(scope="session")
def baseline() -> Scorer:
    """A scorer of the bundled artifact."""
    return Scorer(providers=CPU)
