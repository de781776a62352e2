"""The endpoints beside /score, and how the process behaves."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from semsim_service.http.openapi import openapi
from tests.conftest import ROOT
from tests.encoded import encode, picture
from tests.service.live import LiveService, base64_pair, serving


def test_health(service: LiveService) -> None:
    """Alive and ready."""
    assert httpx.get(f"{service.url}/livez").status_code == 200
    assert httpx.get(f"{service.url}/readyz").status_code == 200


def test_nothing_is_scored_before_the_warm_up() -> None:
    """Until the model is loaded and warm, requests get 503 in the envelope, and the service is not ready."""
    from starlette.testclient import TestClient

    from semsim_service.http.app import HTTPTransport
    from semsim_service.service import SemSimService

    answer = TestClient(HTTPTransport().app).get("/model")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"
    assert asyncio.run(SemSimService.inner.__is_ready__(None)) is False


def test_model_shows_manifest_provider_and_limits(limited_service: LiveService) -> None:
    """GET /model tells what serves and within which limits."""
    info = httpx.get(f"{limited_service.url}/model").json()
    assert info["manifest"]["name"] == "small"
    assert info["manifest"]["threshold"] == 0.5
    assert info["provider"]["active"] in ("cpu", "cuda", "tensorrt")
    assert info["limits"] == {
        "pairs": 3,
        "body_bytes": 40000,
        "image_bytes": 5000,
        "image_pixels": 1024,
        "request_pixels": 2048,
    }


def test_metrics_count_requests_and_pairs(limited_service: LiveService) -> None:
    """Requests, pairs and stage times show up with fixed labels."""

    def value(name: str, **labels: str) -> float:
        text = httpx.get(f"{limited_service.url}/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    before = [
        value("semsim_requests_total", transport="http", code="ok"),
        value("semsim_pairs_total", code="ok"),
        value("semsim_pairs_total", code="not_an_image"),
        value("semsim_inference_seconds_count"),
    ]
    image = encode(picture())
    limited_service.post([base64_pair(image, image), base64_pair(b"x", image)])
    after = [
        value("semsim_requests_total", transport="http", code="ok"),
        value("semsim_pairs_total", code="ok"),
        value("semsim_pairs_total", code="not_an_image"),
        value("semsim_inference_seconds_count"),
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1, 1]


def test_the_committed_openapi_is_current(service: LiveService) -> None:
    """docs/openapi.json, the code and the live service agree; `make openapi` writes the file."""
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == openapi()
    assert httpx.get(f"{service.url}/docs.json").json() == committed


def test_the_page_links_here_and_loads_nothing(service: LiveService) -> None:
    """`/` is a page of our own: every link works, and there is no script and no other host."""
    answer = httpx.get(f"{service.url}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<img|<link|//", answer.text)
    links = re.findall(r'href="([^"]*)"', answer.text)
    assert {"/docs.json", "/model", "/metrics"} <= set(links)
    assert [httpx.get(service.url + link).status_code for link in links] == [200] * len(links)


def test_it_listens_on_loopback(tmp_path: Path) -> None:
    """`bentoml serve` from the repository root works as it stands, on 127.0.0.1 only."""
    psutil = pytest.importorskip("psutil")
    command = [sys.executable, "-m", "bentoml", "serve"]
    with serving(tmp_path, command, cwd=ROOT) as live:
        image = encode(picture())
        assert live.post([base64_pair(image, image)]).json()["results"][0]["distance"] == 0
        port = int(live.url.rpartition(":")[2])
        listening = [
            connection.laddr.ip
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        ]
        assert set(listening) == {"127.0.0.1"}


def test_the_fallback_to_cpu_is_logged_once(service: LiveService) -> None:
    """Where there is no GPU, one line of the service's log says what runs instead."""
    if httpx.get(f"{service.url}/model").json()["provider"]["active"] != "cpu":
        pytest.skip("needs a machine without a usable GPU")
    assert service.log.count(b"running on cpu; not in use: tensorrt") == 1


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SEMSIM_ARTIFACT": "/nowhere"}, "expected a model artifact directory"),
        ({"SEMSIM_LIMITS__PAIRS": "0"}, "limits.pairs"),
        ({"SEMSIM_PROVIDERS__ORDER": '["cpu"]', "SEMSIM_PROVIDERS__REQUIRED": "cuda"}, "because it is required"),
    ],
)
def test_wrong_settings_stop_the_start(environment: dict[str, str], told: str) -> None:
    """A missing artifact, an impossible limit or a missing required provider fail the start, in words."""
    code = "from semsim_service.service import SemSimService as S; S.inner()"
    import os

    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        cwd=ROOT,
    )
    assert shown.returncode != 0
    assert told in shown.stderr


def test_a_yaml_file_sets_what_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrated_artifact: Path
) -> None:
    """SEMSIM_CONFIG names a YAML file; the environment wins over it."""
    from semsim_service.settings import Settings

    path = tmp_path / "semsim.yaml"
    path.write_text(
        f"artifact: {calibrated_artifact}\nlimits: {{pairs: 5}}\nproviders: {{order: [cpu]}}\nbatch_size: 8\n"
    )
    monkeypatch.setenv("SEMSIM_CONFIG", str(path))
    monkeypatch.setenv("SEMSIM_BATCH_SIZE", "4")
    settings = Settings()
    assert settings.artifact == calibrated_artifact
    assert settings.limits.pairs == 5
    assert settings.providers.order == ("cpu",)
    assert settings.batch_size == 4
