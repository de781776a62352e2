"""The deadline of a request holds, and so does the number of threads, whatever the threads are doing."""

import threading
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from semsim import Scorer
from semsim.embedder import Embedder
from semsim.pairs import PairReader
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.http.app import HTTPTransport
from semsim_service.settings import Settings
from tests.encoded import encode, picture
from tests.service.live import base64_pair

PATIENCE = 60
BODY = {"pairs": [base64_pair(encode(picture()), encode(picture()))]}


class _Blocked:
    """A function that waits until it is let go before it does its work, and counts its calls."""

    def __init__(self, work: object) -> None:
        self._work = work
        self.go = threading.Event()
        self.begun = 0
        self.done = 0

    def __call__(self, *arguments: object, **options: object) -> object:
        self.begun += 1
        assert self.go.wait(PATIENCE)
        self.done += 1
        return self._work(*arguments, **options)  # type: ignore[operator]


@pytest.fixture
def client(small_artifact: object, metrics: ServiceMetrics) -> Iterator[TestClient]:
    """The transport over a core with one decoding thread and a very short deadline."""
    transport = HTTPTransport()
    settings = Settings(decode_threads=1, request_seconds=0.3)
    transport.core = ScoringCore(Scorer(small_artifact), settings, metrics)  # type: ignore[arg-type]
    with TestClient(transport.app) as client:
        yield client
    transport.core.close()


@pytest.mark.parametrize("stage", ["decode", "score"])
def test_a_busy_thread_does_not_hold_up_the_504(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """The deadline is answered while the thread works, a waiting request is dropped, and the next one is scored."""
    place = (PairReader, "read_pair") if stage == "decode" else (Embedder, "embed")
    work = getattr(*place)
    blocked = _Blocked(work)
    # A plain function, so that it becomes a method where it replaces one.
    monkeypatch.setattr(*place, lambda *arguments, **options: blocked(*arguments, **options))
    waited = REGISTRY.get_sample_value("semsim_queue_seconds_sum") or 0
    try:
        for _ in range(2):
            answer = client.post("/score", json=BODY)
            assert answer.status_code == 504
            assert answer.json()["error"]["code"] == "timeout"
        assert (blocked.begun, blocked.done) == (1, 0)
        # What gave up waiting is in the metric by which the service is scaled.
        assert (REGISTRY.get_sample_value("semsim_queue_seconds_sum") or 0) >= waited + 0.25
    finally:
        blocked.go.set()
    answer = client.post("/score", json=BODY)
    assert answer.status_code == 200
    assert answer.json()["results"][0]["distance"] == 0
    assert blocked.begun == blocked.done == 2
