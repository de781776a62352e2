"""Original images never reach a log, a file or an answer."""

import base64
import sys
from typing import Any

import numpy as np

from semsim_service.core.schemas import ScoreRequest
from tests.encoded import encode
from tests.service.guarded import Guarded
from tests.service.live import base64_pair

MARK = b"PRIVATE-ORIGINAL-7f3a"


def _traces(content: bytes) -> list[bytes]:
    """The forms in which an image could show: its bytes, parts of its base64 at any alignment, its escaped form."""
    start = content.find(MARK)
    piece = content[start : start + 60]
    aligned = [base64.b64encode(piece[shift : shift + 30])[:36] for shift in range(3)]
    return [MARK, repr(MARK)[2:-1].encode(), *aligned]


def test_no_image_bytes_in_logs_files_or_errors(guarded: Guarded) -> None:
    """Good, broken and refused images, in JSON and multipart, leave nothing of themselves in answers, logs or files."""
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    good = encode(noise) + MARK * 4  # behind a PNG's end anything may stand
    broken = b"\x89PNG\r\n\x1a\n" + MARK * 20
    assert len(good) > 2**20
    answers: list[bytes] = []
    before = len(guarded.live.log)
    _send_everything(guarded, good, broken, answers)
    log = guarded.live.log[before:]
    assert log.count(b'"event": "request"') >= 11
    files = [path.read_bytes() for path in guarded.live.home.rglob("*") if path.is_file()]
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


def _send_everything(guarded: Guarded, good: bytes, broken: bytes, answers: list[bytes]) -> None:
    encoded = base64.b64encode(broken).decode()
    with guarded.client() as client:

        def post(**request: Any) -> None:
            answers.append(client.post("/score", **request).content)

        for pairs in (
            [base64_pair(good, good), base64_pair(good, broken), base64_pair(broken, good)],
            [{"original": encoded + "!", "reconstruction": encoded}],
            [{"original": [encoded], "reconstruction": {"x": encoded}, encoded: encoded}],
            encoded,
        ):
            post(json={"pairs": pairs})
        post(json={encoded: encoded})
        post(content=broken, headers={"content-type": "application/json"})
        post(content=good, headers={"content-type": "image/png"})
        for files in (
            {"original": ("o", good), "reconstruction": ("r", good)},
            {"original": ("o", broken), "reconstruction": ("r", good)},
            {"original": (None, broken[8:]), "reconstruction": ("r", good)},
            {MARK.decode(): ("o", broken), "reconstruction": ("r", good)},
        ):
            post(files=files)
    assert [b'"distance"' in answer for answer in answers].count(True) == 2
