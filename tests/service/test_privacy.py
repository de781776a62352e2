"""Original images never reach a log, a file or an answer."""

import base64
import sys
from pathlib import Path

import httpx
import numpy as np

from semsim_service.core.schemas import ScoreRequest
from tests.encoded import encode
from tests.service.live import LiveService, base64_pair, serving

MARK = b"PRIVATE-ORIGINAL-7f3a"


def _traces(content: bytes) -> list[bytes]:
    """How an image could show: its bytes, parts of its base64 at any alignment, its escaped form."""
    start = content.find(MARK)
    piece = content[start : start + 60]
    aligned = [base64.b64encode(piece[shift : shift + 30])[:36] for shift in range(3)]
    return [MARK, repr(MARK)[2:-1].encode(), *aligned]


def test_no_image_bytes_in_logs_files_or_errors(tmp_path: Path, small_artifact: Path) -> None:
    """Good, broken and refused images, in JSON and multipart: nothing of them in answers, logs or files."""
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    good = encode(noise) + MARK * 4  # behind a PNG's end anything may stand
    broken = b"\x89PNG\r\n\x1a\n" + MARK * 20
    assert len(good) > 2**20
    answers: list[bytes] = []
    scratch = tmp_path / "tmp"
    home = tmp_path / "home"
    scratch.mkdir()
    home.mkdir()
    settings = {"SEMSIM_ARTIFACT": str(small_artifact), "SEMSIM_LOG__REQUESTS": "true", "TMPDIR": str(scratch)}
    with serving(home, **settings) as live:
        _send_everything(live, good, broken, answers)
        log = live.log
    assert log.count(b'"event": "request"') >= 11
    files = [path.read_bytes() for path in (*scratch.rglob("*"), *home.rglob("*")) if path.is_file()]
    for content in (good, broken):
        for trace in _traces(content):
            for place in (log, *answers, *files):
                assert trace not in place


def test_nothing_of_a_request_is_kept_to_be_found_again() -> None:
    """Reading thousands of requests with ids of their own keeps none of the ids."""

    def read(number: int) -> None:
        pair = f'{{"id": "round-{number}", "original": "o{number}", "reconstruction": "r{number}"}}'
        ScoreRequest.model_validate_json(f'{{"pairs": [{pair}]}}')

    read(0)
    before = sys.getallocatedblocks()
    for number in range(1, 3000):
        read(number)
    assert sys.getallocatedblocks() - before < 100


def _send_everything(live: LiveService, good: bytes, broken: bytes, answers: list[bytes]) -> None:
    def keep(answer: httpx.Response) -> None:
        answers.append(answer.content)

    encoded = base64.b64encode(broken).decode()
    keep(live.post([base64_pair(good, good), base64_pair(good, broken), base64_pair(broken, good)]))
    keep(live.post([{"original": encoded + "!", "reconstruction": encoded}]))
    keep(live.post([{"original": [encoded], "reconstruction": {"x": encoded}, encoded: encoded}]))
    keep(httpx.post(f"{live.url}/score", json={"pairs": encoded}))
    keep(httpx.post(f"{live.url}/score", json={encoded: encoded}))
    keep(httpx.post(f"{live.url}/score", content=broken, headers={"content-type": "application/json"}))
    keep(httpx.post(f"{live.url}/score", content=good, headers={"content-type": "image/png"}))
    for files in (
        {"original": ("o", good), "reconstruction": ("r", good)},
        {"original": ("o", broken), "reconstruction": ("r", good)},
        {"original": (None, broken[8:]), "reconstruction": ("r", good)},
        {MARK.decode(): ("o", broken), "reconstruction": ("r", good)},
    ):
        keep(httpx.post(f"{live.url}/score", files=files, timeout=60))
    assert [b'"distance"' in answer for answer in answers].count(True) == 2
