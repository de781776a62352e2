"""Live services, started once for all tests that only ask them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.live import LiveService, serving


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """The service with the bundled model and default settings."""
    with serving(tmp_path_factory.mktemp("bentoml")) as live:
        yield live


@pytest.fixture(scope="session")
def limited_service(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[LiveService]:
    """The service with a small calibrated model and tight limits."""
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
