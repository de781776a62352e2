"""A full queue refuses, a client that goes frees its place, and every answer tells its request's id and time."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from semsim import Scorer
from semsim.embedder import Embedder
from semsim.pairs import PairReader
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.http.app import HTTPTransport
from semsim_service.http.front_door import FrontDoor
from semsim_service.settings import Settings
from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

PATIENCE = 60
PAIR = base64_pair(encode(picture()), encode(picture()))


@pytest.fixture
def client(small_artifact: Path, metrics: ServiceMetrics) -> Iterator[TestClient]:
    """The transport over a core whose queue has room for three pairs."""
    transport = HTTPTransport()
    settings = Settings.model_validate(
        {
            "queue": {"pairs": 3, "bytes": 40000}, "limits": {"pairs": 3, "body_bytes": 40000},
            "http": {"hosts": ["testserver"]},
        }
    )  # fmt: skip
    transport.core = ScoringCore(Scorer(small_artifact), settings, metrics)
    with TestClient(FrontDoor(transport.app, settings, transport.score_app)) as client:
        yield client
    transport.core.close()


class Gate:
    """The network waits here until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Make the network wait at the gate."""
    embed, gate = Embedder.embed, Gate()

    def wait(self: Embedder, batch: object) -> object:
        gate.reached.set()
        assert gate.go.wait(PATIENCE)
        return embed(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Embedder, "embed", wait)
    yield gate
    gate.go.set()


def test_a_full_queue_answers_429_and_serves_again(client: TestClient, gate: Gate) -> None:
    """Past the bound the answer is 429 with Retry-After, in the envelope. Admitted and later requests are answered."""
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/score", json={"pairs": [PAIR] * 2})
        assert gate.reached.wait(PATIENCE)
        answer = client.post("/score", json={"pairs": [PAIR] * 3})
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "overloaded"
        assert int(answer.headers["retry-after"]) >= 1
        gate.go.set()
        assert first.result().status_code == 200
    assert client.post("/score", json={"pairs": [PAIR] * 3}).status_code == 200


def test_a_full_queue_refuses_without_reading(client: TestClient, gate: Gate, metrics: ServiceMetrics) -> None:
    """Where no pair has room, a request for scores is refused by its head alone, and counted; others are answered."""
    refused, counted = metrics.rejected.labels("queue_pairs"), metrics.requests.labels("http", "overloaded")
    before = refused._value.get(), counted._value.get()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/score", json={"pairs": [PAIR] * 3})
        assert gate.reached.wait(PATIENCE)
        for path in ("/score", "/v1/score"):
            answer = client.post(path, content=b"no pairs", headers={"x-request-id": "mine"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            assert (answer.headers["x-request-id"], answer.headers["cache-control"]) == ("mine", "no-store")
        assert client.get("/model").status_code == 200
        assert client.get("/score").status_code == 405
        assert (refused._value.get(), counted._value.get()) == (before[0] + 2, before[1] + 2)
        gate.go.set()
        assert first.result().status_code == 200
    assert client.post("/score", content=b"no pairs").status_code == 415


def test_what_waits_for_a_thread_takes_room(client: TestClient, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose pairs are not counted yet takes one place: no more of them wait than there are places."""
    read_pair = PairReader.read_pair

    def wait(self: PairReader, pair: object) -> object:
        gate.reached.set()
        assert gate.go.wait(PATIENCE)
        return read_pair(self, pair)

    monkeypatch.setattr(PairReader, "read_pair", wait)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, "/score", json={"pairs": [PAIR]}) for _ in range(4)]
        refused = next(as_completed(asked, PATIENCE))
        assert refused.result().status_code == 429
        gate.go.set()
        assert [each.result().status_code for each in asked if each is not refused] == [200] * 3


def _requests(service: LiveService, code: str) -> float:
    text = CLIENT.get(f"{service.url}/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(s.value for s in samples if s.name == "semsim_requests_total" and s.labels["code"] == code)


def test_a_client_that_goes_is_not_scored_to_the_end(service: LiveService) -> None:
    """A closed connection cancels its request, whether its body was there or not."""
    address = (service.url.removeprefix("http://").partition(":")[0], int(service.url.rpartition(":")[2]))
    shape = (200, 64, 64)
    size = 2 * 200 * 64 * 64 * 3
    head = (
        "POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
        f"X-Semsim-Shape: {','.join(map(str, shape))}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()
    before = _requests(service, "cancelled")
    for body in (bytes(range(256)) * (size // 256), b"half of it"):
        with socket.create_connection(address) as connection:
            connection.sendall(head + body)
    deadline = time.monotonic() + PATIENCE
    while _requests(service, "cancelled") < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_answer_carries_its_requests_id(service: LiveService) -> None:
    """An answer carries the caller's own id, or a new one. An id that could forge a log line is not taken."""
    for path, method in (("/score", "POST"), ("/model", "GET")):
        url = f"{service.url}{path}"
        assert (
            CLIENT.request(method, url, headers={"x-request-id": "round-7.c3"}).headers["x-request-id"] == "round-7.c3"
        )
        for bad in ("", "a b", "x" * 129, '"}'):
            new = CLIENT.request(method, url, headers={"x-request-id": bad}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", new)


def test_an_answer_says_where_its_time_went(service: LiveService) -> None:
    """Server-Timing gives milliseconds in decode, queue and inference, within the time that the caller saw."""
    begin = time.monotonic()
    answer = service.post([PAIR])
    seen = (time.monotonic() - begin) * 1e3
    pattern = r"decode;dur=([\d.]+), queue;dur=([\d.]+), inference;dur=([\d.]+)"
    match = re.fullmatch(pattern, answer.headers["server-timing"])
    assert match is not None
    decode, queue, inference = map(float, match.groups())
    assert 0 < decode + queue + inference <= seen
    assert inference > 0
