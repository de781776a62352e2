"""BentoML's faults: each is shown as it is, and is gone in the service."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from typing import Any

import bentoml
import pytest

from semsim_service.host import bentoml_faults
from tests.conftest import ROOT
from tests.service.host.bentoml_application import REQUESTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The traces that requests leave behind in BentoML's application, as it is and as it is here."""
    home = tmp_path_factory.mktemp("applications")
    shown = subprocess.run(
        [sys.executable, "-m", "tests.service.host.bentoml_application", str(home)],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"},
        stdout=subprocess.PIPE,
        check=True,
    )
    left: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1])
    return left


def test_no_request_leaves_a_timer(applications: dict[str, Any]) -> None:
    """BentoML's timeout keeps every request for a minute after its end. Here nothing is left of one."""
    assert applications["plain"]["timers"] == applications["quiet"]["timers"] == REQUESTS
    assert applications["ours"]["timers"] == 0


def test_no_client_makes_a_series(applications: dict[str, Any]) -> None:
    """BentoML's metrics get a series for each path that anybody asks for. Here there are none of these metrics."""
    assert applications["plain"]["series"] >= REQUESTS
    assert applications["ours"]["series"] == applications["quiet"]["series"] == 0


def test_nothing_runs_that_is_not_used(applications: dict[str, Any]) -> None:
    """BentoML makes no span and no access log, and imports neither. A limit that an operator asks of BentoML stays."""
    assert {"OpenTelemetryMiddleware", "AccessLogMiddleware"} <= set(applications["plain"]["middlewares"])
    assert applications["plain"]["sdk"]
    assert applications["ours"]["middlewares"] == []
    assert not applications["ours"]["sdk"]
    assert applications["limited"] == ["MaxConcurrencyMiddleware"]


class _Mended:
    """A timeout as it should be."""

    def __init__(self, app: Any, timeout: float) -> None:
        self.app, self.timeout = app, timeout

    async def __call__(self, *arguments: Any) -> None:
        timer = asyncio.get_running_loop().call_later(self.timeout, lambda: None)
        try:
            await self.app(*arguments)
        finally:
            timer.cancel()


@pytest.mark.parametrize("other", ["version", "source"])
def test_a_bentoml_that_is_not_known_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    """For another version, or a mended timeout, one line is logged, and nothing is replaced."""
    from _bentoml_impl.server.app import ServiceAppFactory
    from bentoml._internal.server.http import traffic

    if other == "version":
        monkeypatch.setattr(bentoml, "__version__", "1.5.0")
    else:
        monkeypatch.setattr(traffic, "TimeoutMiddleware", _Mended)
    before = ServiceAppFactory.middlewares
    with caplog.at_level(logging.WARNING, "semsim.service"):
        assert not bentoml_faults.drop_middlewares()
    assert ServiceAppFactory.middlewares is before
    assert len(caplog.records) == 1


def test_a_start_empties_the_metrics_of_its_home(applications: dict[str, Any]) -> None:
    """BentoML empties the metrics of its home: a second server would wipe the first's. ``host.home`` prevents it."""
    assert applications["wiped"]
