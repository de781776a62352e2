"""The service's class serves nothing before its model is warm, and names the setting that it cannot start with."""

import asyncio

import pytest
from starlette.testclient import TestClient

from semsim.exceptions import SemSimError
from semsim_service import service
from semsim_service.http.app import HTTPTransport
from semsim_service.service import SemSimService


def test_nothing_is_scored_before_the_warm_up() -> None:
    """Until the model is loaded and warm, requests get 503 in the envelope, and the service is not ready."""
    answer = TestClient(HTTPTransport().app).get("/model")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"
    assert asyncio.run(SemSimService.inner.__is_ready__(None)) is False


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
