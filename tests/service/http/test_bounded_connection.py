"""All that a client can do before it is asked for a token is bounded: bytes, headers, time and connections."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.server import semsim_serve
from semsim_service.http.bounded_connection import UNWANTED_SECONDS
from tests.service.http.attacked import Attacked, read_all
from tests.service.live import serving, wait_until

pytestmark = pytest.mark.slow

CONNECTIONS = 64
SHARED = 60
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b'{"pairs":[]}'
LAST = b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, small_artifact: Path) -> Iterator[Attacked]:
    """A service with room for 64 connections, four of them for health checks."""
    settings = {"SEMSIM_ARTIFACT": str(small_artifact), "SEMSIM_HTTP__CONNECTIONS": str(CONNECTIONS)}
    with serving(tmp_path_factory.mktemp("attacked"), **settings) as live:
        yield Attacked(live)


def assert_refused(answer: bytes, status: int, words: str) -> None:
    """One answer, in the envelope, after which the connection ends."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert f"content-length: {len(body)}".encode() in head
    error = json.loads(body)["error"]
    assert (error["code"], words in error["message"]) == ("invalid_request", True), error


@pytest.mark.parametrize(
    ("attack", "status", "words"),
    [
        (GET + b"a:b\r\n" * 10_000_000, 431, "at most 100 headers"),
        (GET + b"a: " + b"b" * 50_000_000, 431, "at most 65536 bytes"),
        (GET + b"a" * 50_000_000, 431, "at most 65536 bytes"),
        (b"GET /" + b"a" * 50_000_000, 414, "a URL of at most 8192 bytes"),
        (CHUNKED + b"0\r\n" + b"a:b\r\n" * 10_000_000, 400, "without trailers"),
        (CHUNKED + b"1\r\na\r\n" * 5_000_000, 400, "many small ones"),
        (CHUNKED + b"1;" + b"x" * 50_000_000, 400, "the size of a chunk"),
        (CHUNKED + b"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n" * 1_000_000, 400, "many small ones"),
    ],
    ids=["headers", "value", "name", "url", "trailers", "chunks", "extension", "extensions"],
)
def test_fifty_megabytes_of_no_request_are_refused_at_once(
    attacked: Attacked, attack: bytes, status: int, words: str
) -> None:
    """A head, trailers or chunks without end are refused after some kilobytes, and take no memory."""
    with attacked.bounded():
        assert_refused(attacked.answer(attack), status, words)


def test_a_service_that_stands_still_is_noticed(attacked: Attacked) -> None:
    """The bounds of the tests here are broken where the service answers nobody in the middle of an attack."""
    with pytest.raises(AssertionError), attacked.bounded():
        time.sleep(0.2)
        attacked.worker.suspend()
        time.sleep(3)
        attacked.worker.resume()
        time.sleep(0.2)


@pytest.mark.parametrize("cut", [CHUNKED + b"5", CHUNKED + b"c\r\n" + EMPTY + b"\r"])
def test_a_body_that_is_cut_in_a_line_of_a_chunk_waits(attacked: Attacked, cut: bytes) -> None:
    """A part of a line is kept until the rest has come, and nobody else waits for it."""
    with attacked.connect() as connection:
        connection.sendall(cut)
        attacked.small_request()  # it would wait for ever


def test_requests_that_nobody_reads_wait(attacked: Attacked) -> None:
    """Pipelined requests are taken one at a time. Thirty megabytes of them stay outside, and others are answered."""
    requests = (b"GET /docs.json HTTP/1.1\r\nHost: localhost\r\n\r\n") * 700_000
    with ExitStack() as stack, attacked.bounded():
        for _ in range(4):
            connection = stack.enter_context(attacked.connect(seconds=1))
            with suppress(TimeoutError):
                connection.sendall(requests)
                pytest.fail("all was taken")


def test_pipelined_requests_are_answered_in_order(attacked: Attacked) -> None:
    """Requests that are sent at once are answered one after the other, with their bodies in their places."""
    named = [POST + b"X-Request-Id: r%d\r\nContent-Length: 12\r\n\r\n" % i + EMPTY for i in range(30)]
    answer = attacked.answer(b"".join(named), GET + b"Connection: close\r\n\r\n")
    ids = [line for line in answer.split(b"\r\n") if line.startswith(b"x-request-id: ")]
    assert ids == [b"x-request-id: r%d" % i for i in range(30)]
    assert answer.endswith(b"</html>\n")


def test_a_thousand_half_sent_heads_let_others_in(attacked: Attacked) -> None:
    """The oldest connections without a request give way, and the others are told after ten seconds."""
    begun = time.monotonic()
    with ExitStack() as stack, attacked.bounded():
        half = []
        for _ in range(1000):
            half.append(stack.enter_context(attacked.connect()))
            with suppress(OSError):
                half[-1].sendall(GET + b"a: " + b"b" * 60_000)
        assert httpx.get(f"{attacked.live.url}/livez").status_code == 200
        assert attacked.connections() <= CONNECTIONS
        answers = [read_all(connection) for connection in half]
        assert time.monotonic() - begun < 25
    assert not any(answers[:-CONNECTIONS])
    assert_refused(answers[-1], 408, "within 10 s")
    assert b"expected at most 60 connections" in attacked.live.log


def test_connections_at_work_leave_a_share_to_health_checks(attacked: Attacked) -> None:
    """Where every connection waits for the service, new ones get answers to health checks, and 429 to all else."""
    with ExitStack() as stack:
        for _ in range(SHARED):
            connection = stack.enter_context(attacked.connect())
            connection.sendall(POST + b"Content-Length: 12\r\n\r\n{")
        time.sleep(0.3)
        assert httpx.get(f"{attacked.live.url}/livez").status_code == 200
        assert httpx.get(f"{attacked.live.url}/readyz").status_code == 200
        answer = httpx.get(f"{attacked.live.url}/model")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
        assert answer.headers["connection"] == "close"
    attacked.small_request()


def ask_for_pages(port: int, paths: Sequence[str], over: Event, counts: Connection) -> None:
    """Ask for pages again and again over as many connections as paths, and tell how many each had in the end."""

    def ask(path: str) -> int:
        count = 0
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            while not over.is_set():
                connection.request("GET", path)
                answer = connection.getresponse()
                count += bool(answer.read()) and answer.status == 200
        return count

    with ThreadPoolExecutor(len(paths)) as pool:
        counts.send(list(pool.map(ask, paths)))


def beside_fifty(attacked: Attacked, *paths: str) -> float:
    """The seconds that a small request takes beside fifty connections that ask for pages again and again.

    Those fifty are a process of their own: beside fifty threads, the small request would wait for its own interpreter.
    """
    each = [paths[i % len(paths)] for i in range(50)]
    spawning = get_context("spawn")
    over = spawning.Event()
    counts, theirs = spawning.Pipe(duplex=False)
    process = spawning.Process(target=ask_for_pages, args=(attacked.port, each, over, theirs))
    process.start()
    theirs.close()
    try:
        wait_until(lambda: attacked.connections() >= len(each))
        time.sleep(1)
        during = attacked.small_request()
    finally:
        over.set()
    answers = counts.recv()
    process.join()
    assert len(answers) == len(each)
    assert all(answers)
    return during


def test_public_endpoints_cost_nothing(attacked: Attacked) -> None:
    """Fifty connections that ask for public pages hold up a score no more than health checks do."""
    with attacked.bounded():
        health = beside_fifty(attacked, "/livez")
        assert beside_fifty(attacked, "/docs.json", "/", "/metrics") < max(1.0, 4 * health)


def test_a_body_that_nobody_wants_is_not_read_for_ever(attacked: Attacked) -> None:
    """A client that goes on after its answer is heard for ten seconds, and its connection ends."""
    with attacked.connect(seconds=1) as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begun < 25:
                connection.sendall(b"400\r\n" + bytes(1024) + b"\r\n")
                time.sleep(0.05)
        assert 8 < time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 12\r\n\r\n" + EMPTY, b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + EMPTY + LAST],
)
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0", b"foo/2"])
def test_upgrade_is_ignored(attacked: Attacked, protocol: bytes, framing: bytes) -> None:
    """Whatever a request would upgrade to, its body is its own and not the next request."""
    head = POST + b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: " + protocol + b"\r\n"
    answer = attacked.answer((head + framing) * 2, GET + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 3
    assert answer.count(b"got pairs: List should have at least 1 item") == 2
    assert b"HTTP/1.1 101" not in answer


def test_a_body_is_never_the_next_request(attacked: Attacked) -> None:
    """A request inside the body of one that asks for an upgrade is not executed."""
    inner = b"GET /model HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = POST + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(inner)
    answer = attacked.answer(head + inner)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Invalid JSON" in answer


def test_a_web_socket_gets_the_envelope(attacked: Attacked) -> None:
    """The handshake of a WebSocket is refused as any request is."""
    key = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\nSec-WebSocket-Version: 13\r\n"
    for path in (b"/", b"/score", b"/model"):
        answer = attacked.answer(
            b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + key + b"\r\n"
        )
        assert_refused(answer, 400, "WebSocket")


def test_an_answer_comes_through_while_the_client_still_sends(attacked: Attacked) -> None:
    """A refusal is read whole, though its client has not sent all."""
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", attacked.port), timeout=30) as connection:
            connection.sendall(GET + b"a:b\r\n" * 40_000)
            assert_refused(read_all(connection), 431, "headers")


def test_an_answer_comes_through_where_the_connection_closes_behind_it(attacked: Attacked) -> None:
    """A client that sends its whole body before it reads gets the refusal, and what it sends behind is no request."""
    head = b"POST /score HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    data = bytes(20_000_000)
    sized = b"Content-Length: %d\r\n\r\n" % len(data)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(data)
    for framing in (sized + data, chunked + data + LAST):
        with attacked.bounded(), attacked.connect() as connection:
            connection.sendall(head + framing + GET + b"\r\n")
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 415 ")
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_stop_does_not_wait_for_a_body(tmp_path: Path, small_artifact: Path) -> None:
    """A service that stops answers a client that is slow with its body, and reads none of what follows."""
    settings = {"SEMSIM_ARTIFACT": str(small_artifact), "SEMSIM_REQUEST_SECONDS": "1"}
    with ExitStack() as stack:
        with serving(tmp_path, **settings) as live:
            connection = stack.enter_context(Attacked(live).connect())
            connection.sendall(POST + b"Content-Length: 12\r\n\r\n{")
            time.sleep(0.3)
            begun = time.monotonic()
        assert time.monotonic() - begun < UNWANTED_SECONDS - 3
        assert read_all(connection).startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize("version", [b"", b" HTTP/0.9", b" HTTP/2.0", b" RTSP/2.0"])
def test_other_versions_are_refused(attacked: Attacked, version: bytes) -> None:
    """A request of a version that this service does not speak is told so."""
    assert_refused(
        attacked.answer(b"GET /model" + version + b"\r\nHost: localhost\r\n\r\n"), 400, "an HTTP/1.1 request"
    )


def test_a_client_of_http_1_0_gets_no_interim_answer(attacked: Attacked) -> None:
    """An older client would take 100 Continue for the answer (RFC 9110, section 10.1.1)."""
    head = POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n"
    assert attacked.answer(head + EMPTY).startswith(b"HTTP/1.1 400 ")


def test_few_descriptors_let_others_in(tmp_path: Path, small_artifact: Path) -> None:
    """Where the system gives few descriptors, connections are bounded by them, others come in, and the log tells it."""
    command = ["bash", "-c", 'ulimit -n 256; exec "$@"', "bash", *semsim_serve(small_artifact)]
    with serving(tmp_path, command) as live, ExitStack() as stack:
        attacked = Attacked(live)
        for _ in range(400):
            half = stack.enter_context(attacked.connect())
            with suppress(OSError):
                half.sendall(GET)
        attacked.small_request()
        assert httpx.get(f"{live.url}/livez").status_code == 200
        assert attacked.connections() < 128
        assert b"got 256: at most 64 connections are open" in live.log
        assert b"the longest waiting ones are closed" in live.log
