"""The endpoints beside /score."""

from prometheus_client.parser import text_string_to_metric_families

from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair


def test_health(service: LiveService) -> None:
    """The service is alive and ready."""
    assert CLIENT.get(f"{service.url}/livez").status_code == 200
    assert CLIENT.get(f"{service.url}/readyz").status_code == 200


def test_model_shows_manifest_provider_and_limits(limited_service: LiveService) -> None:
    """GET /model tells the model, its execution provider and the limits."""
    info = CLIENT.get(f"{limited_service.url}/model").json()
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
    """Requests, pairs and times by stage show up with fixed labels."""

    def value(name: str, **labels: str) -> float:
        text = CLIENT.get(f"{limited_service.url}/metrics").text
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
