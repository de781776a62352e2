"""Raw images over HTTP: `application/octet-stream` with their shape in a header."""

import httpx
import numpy as np
import pytest

from semsim import Scorer
from tests.encoded import picture
from tests.service.live import CLIENT, LiveService

SIDE = 24


def images(count: int, seed: int = 0) -> np.ndarray:
    """Different images, uint8 (count, SIDE, SIDE + 1, 3), whose rows and columns cannot be mixed up."""
    noise = np.random.default_rng(seed).integers(0, 60, (count, SIDE, SIDE + 1, 3))
    base = picture(SIDE, SIDE + 1).astype(np.int64)
    return (base + noise).clip(0, 255).astype(np.uint8)


def post(service: LiveService, body: bytes, shape: str | None, **headers: str) -> httpx.Response:
    """POST a raw body."""
    sent = {"content-type": "application/octet-stream"} | {k.replace("_", "-"): v for k, v in headers.items()}
    if shape is not None:
        sent["X-Semsim-Shape"] = shape
    return CLIENT.post(f"{service.url}/score", content=body, headers=sent)


@pytest.mark.parametrize("count", [1, 20])
def test_raw_pairs_score_as_the_library_scores_them(service: LiveService, bundled: Scorer, count: int) -> None:
    """The i-th original and the i-th reconstruction are a pair, whether prepared in the event loop or in a thread."""
    originals, reconstructions = images(count), images(count, seed=1)
    answer = post(service, originals.tobytes() + reconstructions.tobytes(), f"{count},{SIDE},{SIDE + 1}")
    assert answer.status_code == 200, answer.text
    expected = bundled.score_images(list(originals), list(reconstructions))
    for result, score in zip(answer.json()["results"], expected, strict=True):
        assert result["id"] is None
        assert result["distance"] == pytest.approx(score.distance, abs=1e-5)
        assert (result["mse"], result["psnr"], result["ssim"]) == pytest.approx((score.mse, score.psnr, score.ssim))


def test_one_original_may_serve_all(service: LiveService, bundled: Scorer) -> None:
    """With X-Semsim-Originals: 1 the body holds the original once."""
    original, reconstructions = images(1), images(3, seed=1)
    body = original.tobytes() + reconstructions.tobytes()
    answer = post(service, body, f"3,{SIDE},{SIDE + 1}", x_semsim_originals="1")
    expected = bundled.score_images([original[0]] * 3, list(reconstructions))
    distances = [result["distance"] for result in answer.json()["results"]]
    assert distances == pytest.approx([score.distance for score in expected], abs=1e-5)


@pytest.mark.parametrize(
    "shape",
    [None, "", "1,24", "1,24,25,3", "0,24,25", "-1,24,25", "1.0,24,25", "a,b,c", "1,24,25000000000", "\xb2,8,8"],
)
def test_a_shape_of_another_form_is_refused(service: LiveService, shape: str | None) -> None:
    """A shape is three positive whole numbers of at most nine digits."""
    answer = post(service, images(2).tobytes(), None if shape is None else shape.encode("latin-1"))  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert "X-Semsim-Shape: N,H,W" in answer.json()["error"]["message"]


@pytest.mark.parametrize("change", [-1, 1, -images(1).size])
def test_a_body_of_another_length_is_refused(service: LiveService, change: int) -> None:
    """The message says how many bytes were expected and came, whether the length was announced or not."""
    body = (images(2).tobytes() + bytes(max(0, change)))[: images(2).size + change]
    headers = {"content-type": "application/octet-stream", "x-semsim-shape": f"1,{SIDE},{SIDE + 1}"}
    for content in (body, iter([body])):
        answer = CLIENT.post(f"{service.url}/score", content=content, headers=headers)
        assert answer.status_code == 400
        assert f"expected {images(2).size} bytes" in answer.json()["error"]["message"]
        assert f"got {len(body)}" in answer.json()["error"]["message"]


def test_another_number_of_originals_is_refused(service: LiveService) -> None:
    """There must be one original, or one for each reconstruction."""
    answer = post(service, images(5).tobytes(), f"3,{SIDE},{SIDE + 1}", x_semsim_originals="2")
    assert answer.status_code == 400
    assert "X-Semsim-Originals: 1 or 3" in answer.json()["error"]["message"]


def test_raw_images_have_the_same_limits(limited_service: LiveService) -> None:
    """Raw pairs, pixels and bytes have the limits of other bodies, with and without an announced length."""
    assert post(limited_service, b"", "4,8,8").json()["error"]["code"] == "too_many_pairs"
    results = post(limited_service, bytes(2 * 40 * 40 * 3), "1,40,40").json()["results"]
    assert results[0]["error"]["code"] == "too_many_pixels"
    headers = {"content-type": "application/octet-stream", "x-semsim-shape": "1,100,100"}
    for content in (bytes(60000), iter([bytes(1000)] * 60)):
        answer = CLIENT.post(f"{limited_service.url}/score", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_images_under_the_window_of_ssim_fail_alone(service: LiveService) -> None:
    """Raw images are checked like decoded ones."""
    results = post(service, bytes(2 * 6 * 6 * 3), "1,6,6").json()["results"]
    assert results[0]["error"]["code"] == "image_too_small"
