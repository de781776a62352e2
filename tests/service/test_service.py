"""The service's class serves nothing before its model is warm, and names the setting that it cannot start with."""

import asyncio
import threading
import time

import pytest
from starlette.testclient import TestClient

from semsim import Scorer
from semsim.exceptions import SemSimError
from semsim_service import service
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.http.app import HTTPTransport
from semsim_service.service import SemSimService
from semsim_service.settings import Settings


def test_nothing_is_scored_before_the_warm_up() -> None:
    """Until the model is loaded and warm, requests get 503 in the envelope, and the service is not ready."""
    answer = TestClient(HTTPTransport().app).get("/model")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"
    assert asyncio.run(SemSimService.inner.__is_ready__(None)) is False


def test_a_service_whose_decoding_is_stuck_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, small_scorer: Scorer, metrics: ServiceMetrics
) -> None:
    """Readiness fails while no thread for small requests, or none for large ones, ends."""
    core = ScoringCore(small_scorer, Settings(decode_threads=1), metrics)
    monkeypatch.setattr(service._http, "core", core)
    go = threading.Event()

    async def run() -> None:
        for lane in (core._work.decoding._small, core._work.decoding._large):
            go.clear()
            assert await SemSimService.inner.__is_ready__(None)
            work = [lane.run(lambda: go.wait(60), time.monotonic() - 10) for _ in lane._deadlines]
            while lane.busy < len(work):
                await asyncio.sleep(0.01)
            assert not await SemSimService.inner.__is_ready__(None)
            go.set()
            await asyncio.gather(*work)

    asyncio.run(run())
    core.close()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SEMSIM_ARTIFACT": "/nowhere"}, "expected a model artifact directory"),
        ({"SEMSIM_LIMITS__PAIRS": "0"}, "limits.pairs"),
        ({"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"}, "because it is required"),
    ],
)
def test_wrong_settings_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    """A missing artifact, an impossible limit or a missing required provider fail the start of a worker, in words."""
    monkeypatch.setattr(service, "keep_freed_memory", lambda **_: None)  # it would be for the rest of this process
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SemSimError) as refusal:
        SemSimService.inner()
    assert message in str(refusal.value)
