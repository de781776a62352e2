"""Attacks of strangers on gRPC cost the service little memory, and nobody else an answer."""

import gzip
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.harness.http2 import (
    END_HEADERS,
    END_STREAM,
    INITIAL_WINDOW_SIZE,
    Frame,
    FrameType,
    call_headers,
    literal,
    settings,
)
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.encoded import picture
from tests.service.grpc_transport.attacking import HUGE, Attacker, remembered
from tests.service.grpc_transport.running import raw_batch
from tests.service.guarded import AUTHORIZATION, TOKEN
from tests.service.live import LiveService, serving
from tests.service.memory import anonymous_bytes, settled_bytes

pytestmark = pytest.mark.slow

CONNECTIONS = 24
_CONTINUATION = 0x9
_MOST_GROWTH = 64 * 2**20
_LONGEST_SECONDS = 1.0
_IMAGES = np.stack([picture(seed=seed) for seed in range(2)])
_SCORE, _CHECK = b"/semsim.v1.Scorer/Score", b"/grpc.health.v1.Health/Check"
_OPEN_TO_ALL = (
    _CHECK,
    b"/grpc.health.v1.Health/Watch",
    b"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    b"/inference.GRPCInferenceService/ServerLive",
)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, calibrated_artifact: Path) -> Iterator[LiveService]:
    """A service with a token and few connections, by `semsim serve`."""
    settings = {
        "SEMSIM_ARTIFACT": str(calibrated_artifact),
        "SEMSIM_AUTH__TOKEN": TOKEN,
        "SEMSIM_GRPC__CONNECTIONS": str(CONNECTIONS),
    }
    with serving(tmp_path_factory.mktemp("attacked"), **settings) as live:
        yield live


@contextmanager
def harmless(live: LiveService) -> Iterator[None]:
    """A block in which the service's memory hardly grows, and each of the small requests beside it is answered soon."""
    over, sizes, seconds, failures = threading.Event(), [], [], []
    request = raw_batch(_IMAGES, _IMAGES)

    def ask() -> None:
        metadata = (("authorization", AUTHORIZATION),)
        with grpc.insecure_channel(live.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            while not over.is_set():
                begun = time.monotonic()
                try:
                    ScorerStub(channel).Score(request, metadata=metadata, timeout=20)
                    health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
                except grpc.RpcError as error:
                    failures.append(error)
                seconds.append(time.monotonic() - begun)
                over.wait(0.05)

    def watch() -> None:
        while not over.wait(0.01):
            sizes.append(anonymous_bytes(live.process))

    threads = [threading.Thread(target=work) for work in (ask, watch)]
    before = settled_bytes(live.process)
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.3)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    print(f"grew by {(max(sizes) - before) / 2**20:.1f} MiB, slowest {max(seconds):.3f} s of {len(seconds)}")
    assert not failures
    assert max(sizes) - before < _MOST_GROWTH
    assert max(seconds) < _LONGEST_SECONDS


def _pour(live: LiveService, begin: Callable[[Attacker], object], connections: int = 4) -> list[Attacker]:
    """Begin calls on some connections, and send as much to them as the service takes for a moment."""
    attackers = [Attacker(live.grpc) for _ in range(connections)]
    for attacker in attackers:
        attacker.listen()
        begin(attacker)
    _at_once(attackers, lambda attacker: attacker.pour(1.5))
    return attackers


def _at_once(attackers: list[Attacker], attack: Callable[[Attacker], None]) -> None:
    """Let all of them attack at once, and close their connections."""
    threads = [threading.Thread(target=attack, args=(attacker,)) for attacker in attackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for attacker in attackers:
        attacker.close()


def test_compressed_messages(attacked: LiveService) -> None:
    """Small messages that hold large ones are refused at their headers."""
    packed = gzip.compress(bytes(4 * 2**20))
    message = struct.pack(">BI", 1, len(packed)) + packed

    def begin(attacker: Attacker) -> None:
        for _ in range(12):
            attacker.call(_CHECK, message, [(b"grpc-encoding", b"gzip")], ends=True)
            attacker.listen()

    with harmless(attacked):
        attackers = _pour(attacked, begin)
    assert any(b"disabled" in status for attacker in attackers for status in attacker.statuses)


@pytest.mark.parametrize("method", _OPEN_TO_ALL)
def test_large_messages_to_methods_without_a_token(attacked: LiveService, method: bytes) -> None:
    """Messages of 60 MiB to health, reflection and the probes are refused while they come."""
    with harmless(attacked):
        attackers = _pour(attacked, lambda attacker: [attacker.call(method, HUGE) for _ in range(12)])
    assert any(b"65536 bytes" in status for attacker in attackers for status in attacker.statuses)


def test_large_messages_without_a_token(attacked: LiveService) -> None:
    """The token is asked for before a message is read, and nothing of it is kept."""
    wrong = [(b"authorization", b"Bearer another-token-of-somebody")]
    with harmless(attacked):
        attackers = _pour(attacked, lambda attacker: [attacker.call(_SCORE, HUGE, wrong) for _ in range(50)])
    assert all(any(b"unauthenticated" in status for status in attacker.statuses) for attacker in attackers)


@pytest.mark.parametrize("before", [True, False])
def test_a_check_behind_a_large_message_of_its_own_client(attacked: LiveService, before: bool) -> None:
    """A caller who has the token may send a large message while the message of a health check is on its way."""
    attacker = Attacker(attacked.grpc)
    attacker.listen()
    score = (_SCORE, HUGE, [(b"authorization", AUTHORIZATION.encode())])
    check = attacker.call(_CHECK) if before else 0
    time.sleep(0.1)
    attacker.call(*score)
    check = check or attacker.call(_CHECK)
    attacker.pour(20, but=check, most=24 * 2**20)
    assert not attacker.statuses
    attacker.send(check, bytes(5))
    end = time.monotonic() + 10
    while len(attacker.statuses) < 2 and not attacker.closed and time.monotonic() < end:
        attacker.listen()  # the first of what comes may be room in the windows alone
    attacker.close()
    assert len(attacker.statuses) == 2, "the headers and the end of the check's answer"


def test_calls_without_a_message(attacked: LiveService) -> None:
    """Hundreds of calls that never send a message are refused past a number. Checks beside them are answered."""
    with harmless(attacked):
        attackers = [Attacker(attacked.grpc) for _ in range(3)]
        for attacker in attackers:
            for _ in range(150):
                attacker.call(_CHECK)
        for _ in range(5):
            for attacker in attackers:
                attacker.listen()
        for attacker in attackers:
            attacker.close()
    assert any(b"overloaded" in status for attacker in attackers for status in attacker.statuses)


def test_paths_that_are_not_utf_8(attacked: LiveService) -> None:
    """A client that sends such paths in a loop is refused each time. New connections beside it all succeed."""
    over = threading.Event()

    def loop() -> None:
        while not over.is_set():
            attacker = Attacker(attacked.grpc)
            attacker.call(b"/semsim.v1.Scorer/\xff", b"", ends=True)
            attacker.listen()
            attacker.close()

    thread = threading.Thread(target=loop)
    thread.start()
    metadata = (("authorization", AUTHORIZATION),)
    try:
        with harmless(attacked):
            for _ in range(30):
                with grpc.insecure_channel(attacked.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                    ScorerStub(channel).Score(raw_batch(_IMAGES, _IMAGES), metadata=metadata, timeout=20)
    finally:
        over.set()
        thread.join()
    assert b"stopped by itself" not in attacked.log


_BLOCK = call_headers(_CHECK)
_HEADER = literal(b"x", b"y" * 120)
_FIRST, _LATER = remembered(_CHECK)
_RESET = struct.pack(">I", 8)


def _call(stream: int, *, ends: bool = False) -> bytes:
    """A call as short as HTTP/2 has it, with the connection's memory of the first."""
    flags = END_HEADERS | (END_STREAM if ends else 0)
    return Frame(FrameType.HEADERS, flags, stream, _FIRST if stream == 1 else _LATER).encode()


_FLOODS: dict[str, Callable[[int], bytes]] = {
    "resets": lambda stream: _call(stream) + Frame(FrameType.RST_STREAM, 0, stream, _RESET).encode(),
    "resets by the server": lambda stream: (
        _call(stream, ends=True) + Frame(FrameType.WINDOW_UPDATE, 0, stream, bytes(4)).encode()
    ),
    "pings": lambda stream: Frame(FrameType.PING, payload=struct.pack(">Q", stream)).encode() * 20,
    "settings": lambda stream: settings({INITIAL_WINDOW_SIZE: stream}) * 20,
    "empty data": lambda stream: Frame(FrameType.DATA, 0, 1).encode() * 20,
    "headers without an end": lambda stream: Frame(
        FrameType.HEADERS if stream == 1 else _CONTINUATION, 0, 1, _BLOCK + _HEADER * 100
    ).encode(),
}


@pytest.mark.parametrize("flood", _FLOODS)
def test_floods_of_frames(attacked: LiveService, flood: str) -> None:
    """Frames that cost their sender little cost the service little."""
    with harmless(attacked):
        _at_once([Attacker(attacked.grpc) for _ in range(2)], lambda attacker: attacker.flood(_FLOODS[flood], 2.0))


@pytest.mark.parametrize(("acknowledged", "headers"), [(False, 4000), (True, 4000), (True, 240)])
def test_headers_by_the_thousand(attacked: LiveService, acknowledged: bool, headers: int) -> None:
    """Calls of thousands of headers, from clients that read nothing, cost little, before their settings and after."""
    first, later = remembered(_CHECK, (b"x" * 100, b"y"))
    block = later + later[-1:] * headers

    def call(stream: int) -> bytes:
        return Frame(FrameType.HEADERS, END_HEADERS | END_STREAM, stream, first if stream == 1 else block).encode()

    with harmless(attacked):
        attackers = [Attacker(attacked.grpc) for _ in range(2)]
        if acknowledged:
            for attacker in attackers:
                attacker.listen()
        _at_once(attackers, lambda attacker: attacker.shove(call, 3.0))


def test_more_connections_than_there_is_room_for(attacked: LiveService) -> None:
    """Connections past the limit are closed at once. Those before them, and HTTP, go on, and the room comes back."""
    with harmless(attacked):
        attackers = [Attacker(attacked.grpc) for _ in range(3 * CONNECTIONS)]
        for attacker in attackers:
            attacker.listen()
        assert sum(attacker.closed for attacker in attackers) > CONNECTIONS
        assert httpx.get(f"{attacked.url}/readyz").status_code == 200
        for attacker in attackers:
            attacker.close()
    with harmless(attacked):
        pass
