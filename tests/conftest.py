"""Fixtures that many tests share: data where it is to be had, small real artifacts, and live services."""

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from semsim import Scorer
from semsim.providers import Provider, ProviderSettings
from tests.artifacts import write_artifact
from tests.bento import Bento, build_bento
from tests.service.live import LiveService, serving

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "examples" / "images"
SHARED_SERVICES = frozenset({"service", "limited_service", "guarded"})
"""The fixtures that start a service for all tests."""
USES_SERVICE = re.compile(rf"\b({'|'.join(SHARED_SERVICES)}): (LiveService|Guarded)\b")
LONGEST = ("services", "tests/training/test_smoke.py", "tests/training/reconstructions/test_generate.py")
CPU = ProviderSettings(order=(Provider.CPU,))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of shared services as slow, and put the longest groups first.

    Begun last, these would keep one of several processes busy alone.
    """
    for item in items:
        if SHARED_SERVICES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    order = {group: number for number, group in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group_of(item.path.relative_to(ROOT).as_posix()), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, run all files that use a shared service in one process: each service starts once.

    Marks (``--dist loadgroup``) cannot do it: pytest-xdist 3.8 writes them into node ids, which pytest 9 ignores.
    """
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(str(super()._split_scope(nodeid)))

    return Scheduling(config, log)


@cache
def group_of(file: str) -> str:
    """The group of a test file: the file itself, or ``services`` where it uses a shared service."""
    return "services" if USES_SERVICE.search((ROOT / file).read_text()) else file


@pytest.fixture(scope="session")
def data() -> Path:
    """The directory of real data sets, named by SEMSIM_DATA, which is set for configurations that use it."""
    path = Path(os.environ.setdefault("SEMSIM_DATA", str(ROOT.parent / "shared" / "data")))
    if not path.is_dir():
        pytest.skip(f"needs the data sets: set SEMSIM_DATA (no directory at {path})")
    return path


@pytest.fixture(scope="session")
def small_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with a small random network, not calibrated."""
    return write_artifact(tmp_path_factory.mktemp("artifact") / "small")


@pytest.fixture(scope="session")
def calibrated_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with a logistic calibration and 150 random controls."""
    calibration = {"kind": "logistic", "slope": 2.0, "intercept": -1.0}
    home = tmp_path_factory.mktemp("artifact") / "calibrated"
    return write_artifact(home, controls=150, calibration=calibration, threshold=0.5)


@pytest.fixture(scope="session")
def small_scorer(small_artifact: Path) -> Scorer:
    """A scorer of the small artifact."""
    return Scorer(small_artifact, providers=CPU)


@pytest.fixture(scope="session")
def bundled() -> Scorer:
    """A scorer of the bundled artifact."""
    return Scorer(providers=CPU)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """The service with the bundled model and default settings, by `bentoml serve` from the repository root."""
    command = [sys.executable, "-m", "bentoml", "serve"]
    with serving(tmp_path_factory.mktemp("bentoml"), command, cwd=ROOT) as live:
        yield live


@pytest.fixture(scope="session")
def limited_service(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[LiveService]:
    """The service with a small calibrated model and tight limits, by `semsim serve`."""
    settings = {
        "SEMSIM_ARTIFACT": str(calibrated_artifact),
        "SEMSIM_LIMITS__PAIRS": "3",
        "SEMSIM_LIMITS__BODY_BYTES": "40000",
        "SEMSIM_LIMITS__IMAGE_BYTES": "5000",
        "SEMSIM_LIMITS__IMAGE_PIXELS": "1024",
        "SEMSIM_LIMITS__REQUEST_PIXELS": "2048",
    }
    with serving(tmp_path_factory.mktemp("bentoml"), **settings) as live:
        yield live


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Bento:
    """A bento of the working tree."""
    return build_bento(tmp_path_factory.mktemp("bento"))
