"""POST /score with JSON and multipart gives the library's own numbers."""

import base64

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from semsim import Scorer
from tests.conftest import IMAGES
from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

CAT = (IMAGES / "cat.jpg").read_bytes()
NAMES = ("cat.jpg", "cat_blurred.png", "cat_noise.png", "coffee.jpg")
RECONSTRUCTIONS = [(IMAGES / name).read_bytes() for name in NAMES]


def assert_results_of(scorer: Scorer, results: list[dict[str, object]], reconstructions: list[bytes]) -> None:
    """Results over HTTP are those of the library."""
    for result, reconstruction in zip(results, reconstructions, strict=True):
        expected = scorer.score(CAT, reconstruction)
        assert result["distance"] == pytest.approx(expected.distance, abs=1e-5)
        assert result["mse"] == pytest.approx(expected.mse)
        assert result["ssim"] == pytest.approx(expected.ssim)
        assert result["psnr"] == (pytest.approx(expected.psnr) if np.isfinite(expected.psnr) else None)
        assert result["resized"] == expected.resized
        assert result["leakage"] == pytest.approx(expected.leakage, abs=1e-5)
        assert result["recognizable"] is expected.recognizable
        assert result["chance"] == pytest.approx(expected.chance, abs=0.005)
        assert result["identified"] is expected.identified


def test_a_request_may_ask_how_far_the_controls_are(service: LiveService, bundled: Scorer) -> None:
    """With the header, each result of any body has the distances of the controls in bins, or null beside no chance."""
    names = ("cat.jpg", "cat_noise.png", "coffee.jpg")
    images = [(IMAGES / name).read_bytes() for name in names]
    pairs = [base64_pair(images[0], other) for other in images[1:]] + [base64_pair(b"none", images[0])]
    header = {"X-Semsim-Controls": "Histogram"}
    near, far, failed = CLIENT.post(f"{service.url}/score", json={"pairs": pairs}, headers=header).json()["results"]
    assert set(failed) == {"id", "error"}
    assert bundled.controls is not None
    embeddings = bundled.embed(images)
    beside = bundled.controls.distances(embeddings, np.array([0, 0]), np.array([1, 2]))
    for result, distances in zip((near, far), beside, strict=True):
        histogram = result["controls_histogram"]
        counts, edges = np.histogram(distances, 24, (0, max(distances.max(), result["distance"])))
        assert histogram["counts"] == counts.tolist()
        assert histogram["edges"] == pytest.approx(edges)
        as_near = (distances <= result["distance"]).sum()
        assert result["chance"] == pytest.approx((as_near + 1) / (sum(histogram["counts"]) + 1))
    files = [("original", images[0]), ("reconstruction", images[1])]
    (sent,) = CLIENT.post(f"{service.url}/score", files=files, headers=header).json()["results"]
    assert sent == near | {"id": None}
    raw = {"X-Semsim-Shape": "1,32,32", "Content-Type": "application/octet-stream"}
    body = np.random.default_rng(0).integers(0, 256, 6144, dtype=np.uint8).tobytes()
    (noise,) = CLIENT.post(f"{service.url}/score", content=body, headers=header | raw).json()["results"]
    assert (noise["uninformative"], noise["controls_histogram"]) == ("original", None)
    assert "controls_histogram" not in CLIENT.post(f"{service.url}/score", files=files).json()["results"][0]


def test_a_request_may_leave_the_controls_out(service: LiveService) -> None:
    """The field of a JSON body, or the header with any body, leaves both numbers out; another value is refused."""
    pairs = [base64_pair(CAT, CAT), base64_pair(b"", CAT)]
    files = [("original", CAT), ("reconstruction", CAT)]
    answers = [
        CLIENT.post(f"{service.url}/score", json={"pairs": pairs, "controls": False}),
        CLIENT.post(f"{service.url}/score", json={"pairs": pairs[:1]}, headers={"X-Semsim-Controls": "false"}),
        CLIENT.post(f"{service.url}/score", files=files, headers={"X-Semsim-Controls": "False"}),
    ]
    for answer in answers:
        body = answer.json()
        assert body["results"][0]["leakage"] > 0.9
        assert (body["results"][0]["chance"], body["results"][0]["identified"]) == (None, None)
        assert body["summary"]["identified"] is None
    asked = CLIENT.post(f"{service.url}/score", files=files, headers={"X-Semsim-Controls": "true"}).json()
    assert (asked["results"][0]["chance"], asked["summary"]["identified"]) == (1 / 513, 1)
    for wrong in ({"controls": "no"}, {"controls": None}):
        refused = CLIENT.post(f"{service.url}/score", json={"pairs": pairs} | wrong)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    refused = CLIENT.post(f"{service.url}/score", files=files, headers={"X-Semsim-Controls": "0"})
    assert "false, true or histogram" in refused.json()["error"]["message"]


def test_json_pairs(service: LiveService, bundled: Scorer) -> None:
    """Many pairs in JSON give one result each, in order, with their ids, the model and a summary."""
    answer = service.post([base64_pair(CAT, image, name) for name, image in zip(NAMES, RECONSTRUCTIONS, strict=True)])
    assert answer.status_code == 200
    body = answer.json()
    assert [result["id"] for result in body["results"]] == list(NAMES)
    assert_results_of(bundled, body["results"], RECONSTRUCTIONS)
    assert body["model"] == {
        "name": "semsim-default",
        "version": bundled.manifest.version,
        "sha256": bundled.manifest.graph.sha256,
    }
    leakages = [result["leakage"] for result in body["results"]]
    assert body["summary"] == {
        "pairs": 4,
        "failed": 0,
        "max_leakage": leakages[0],
        "mean_leakage": pytest.approx(np.mean(leakages)),
        "recognizable": 3,
        "uninformative": 0,
        "identified": 3,
    }
    same, blurred, noise, other = (result["distance"] for result in body["results"])
    assert same == 0
    assert 0 < blurred < other
    assert 0 < noise < other
    assert [result["recognizable"] for result in body["results"]] == [True, True, True, False]


def test_multipart_files(service: LiveService, bundled: Scorer) -> None:
    """Files are one original with many reconstructions, or as many originals as reconstructions."""
    files = [("original", ("cat.jpg", CAT))] + [("reconstruction", ("r", image)) for image in RECONSTRUCTIONS]
    answer = CLIENT.post(f"{service.url}/score", files=files)
    assert answer.status_code == 200
    assert_results_of(bundled, answer.json()["results"], RECONSTRUCTIONS)
    files = [("original", ("cat.jpg", CAT))] * 2 + [("reconstruction", ("r", image)) for image in RECONSTRUCTIONS[:2]]
    answer = CLIENT.post(f"{service.url}/score", files=files, data={"id": ["a", "b"]})
    assert [result["id"] for result in answer.json()["results"]] == ["a", "b"]


def test_base64_with_line_breaks(service: LiveService) -> None:
    """Base64 in lines, as command-line tools and MIME write it, is taken. A data: URI is refused by its name."""
    lines = base64.encodebytes(CAT).decode()
    pairs = [
        {"original": lines, "reconstruction": lines.replace("\n", "\r\n")},
        {"original": "data:image/jpeg;base64," + lines, "reconstruction": lines},
    ]
    good, bad = service.post(pairs).json()["results"]  # type: ignore[arg-type]
    assert good["distance"] == 0
    assert "data: URI" in bad["error"]["message"]


def test_a_large_file_stays_whole(service: LiveService) -> None:
    """A part over Starlette's 1 MB, which would go to disk there, scores as any other."""
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    data = encode(noise)
    assert len(data) > 2**20
    answer = CLIENT.post(
        f"{service.url}/score", files={"original": ("o", data), "reconstruction": ("r", data)}, timeout=60
    )
    assert answer.json()["results"][0]["distance"] == 0


def test_a_bad_pair_fails_alone(service: LiveService) -> None:
    """Wrong base64, no image, missing and unknown fields each fail at their own index. Good pairs are scored."""
    good = base64_pair(CAT, CAT, "good")
    pairs = [
        good,
        {**good, "id": "base64", "original": "not base64!"},
        {**base64_pair(b"text", CAT), "id": "text"},
        {"id": "missing", "original": good["original"]},
        {**good, "id": "unknown", "orignal": ""},
        {**good, "id": "null", "reconstruction": None},
        5,
        {**good, "id": 7},
        good,
    ]
    answer = service.post(pairs)  # type: ignore[arg-type]
    assert answer.status_code == 200
    body = answer.json()
    codes = [result.get("error", {}).get("code") for result in body["results"]]
    assert codes == [None, "invalid_base64", "not_an_image"] + ["invalid_pair"] * 5 + [None]
    ids = [result["id"] for result in body["results"]]
    assert ids == ["good", "base64", "text", "missing", "unknown", "null", None, None, "good"]
    assert body["summary"]["pairs"] == 9
    assert body["summary"]["failed"] == 7
    assert "original" in body["results"][1]["error"]["message"]


def test_calibrated_answers(limited_service: LiveService) -> None:
    """A calibrated model gives leakage, recognizable, and a summary over the scored pairs."""
    image, other = encode(picture()), encode(picture(seed=1))
    body = limited_service.post([base64_pair(image, image), base64_pair(image, other), base64_pair(b"", image)]).json()
    same, different, failed = body["results"]
    assert same["leakage"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert same["recognizable"] is True
    assert failed["error"]["code"] == "empty_image"
    assert body["summary"]["max_leakage"] == same["leakage"]
    assert body["summary"]["mean_leakage"] == pytest.approx((same["leakage"] + different["leakage"]) / 2)
    assert body["summary"]["recognizable"] == 1 + different["recognizable"]
    assert body["summary"]["failed"] == 1


def test_an_original_that_shows_nothing_has_no_leakage(limited_service: LiveService) -> None:
    """A plain original and a failed pair leave nothing in the summary that would read as safe; both are counted."""
    plain = encode(np.full((32, 32, 3), 90, dtype=np.uint8))
    counted = _metric(limited_service, "semsim_uninformative_pairs_total")
    observed = _metric(limited_service, "semsim_leakage_count")
    body = limited_service.post([base64_pair(plain, plain), base64_pair(b"", plain)]).json()
    nothing = body["results"][0]
    assert (nothing["distance"], nothing["uninformative"]) == (0, "original")
    assert nothing["leakage"] is nothing["recognizable"] is None
    assert body["summary"] == {
        "pairs": 2,
        "failed": 1,
        "max_leakage": None,
        "mean_leakage": None,
        "recognizable": None,
        "uninformative": 1,
        "identified": None,
    }
    assert _metric(limited_service, "semsim_uninformative_pairs_total") == counted + 1
    assert _metric(limited_service, "semsim_leakage_count") == observed


def _metric(service: LiveService, name: str) -> float:
    text = CLIENT.get(f"{service.url}/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name)
