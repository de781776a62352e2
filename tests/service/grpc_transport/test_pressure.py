"""Deadlines, clients that go, and a full queue."""

import socket
import time

import grpc
import numpy as np
import pytest

from benchmarks.harness.http2 import ACK, END_HEADERS, PREFACE, Frame, FrameType, call_headers
from benchmarks.harness.http2 import settings as settings_frame
from semsim import Scorer
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from semsim_service.core.call import Source
from semsim_service.core.metrics import ServiceMetrics
from tests.encoded import picture
from tests.service.grpc_transport.blocking import blocked_network
from tests.service.grpc_transport.running import PATIENCE, Running, counted, error_code, metadata, raw_batch, running

IMAGES = np.stack([picture(seed=seed) for seed in range(2)])
GOOD = raw_batch(IMAGES, IMAGES)


def wait_for(metrics: ServiceMetrics, code: str, count: float) -> None:
    """Wait until so many are counted. The server may notice later than its client."""
    deadline = time.monotonic() + PATIENCE
    while counted(metrics, code) < count:
        assert time.monotonic() < deadline, code
        time.sleep(0.01)


def test_the_callers_deadline(server: Running, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service answers with its own code shortly before the caller's deadline, and counts a timeout."""
    before = counted(metrics, "timeout")
    with blocked_network(monkeypatch):
        with pytest.raises(grpc.RpcError) as caught:
            server.scorer.Score(GOOD, timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        wait_for(metrics, "timeout", before + 1)
        server.wait_for_pairs(0)


def test_the_services_own_deadline(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's deadline holds for a call without one, and for a call whose message never comes."""
    with running(small_scorer, metrics, request_seconds=0.2) as server, blocked_network(monkeypatch):
        with pytest.raises(grpc.RpcError) as caught:
            server.scorer.Score(GOOD)
        assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout")
        assert "0.2 seconds" in caught.value.details()
        never = server.channel.stream_unary("/semsim.v1.Scorer/Score")
        with pytest.raises(grpc.RpcError) as caught:
            never(iter(lambda: time.sleep(PATIENCE), None), timeout=PATIENCE)
        assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout")
        server.wait_for_pairs(0)


def test_a_client_that_goes(server: Running, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose client goes is counted as cancelled, and frees its room while the network still works."""
    before = counted(metrics, "cancelled")
    with blocked_network(monkeypatch) as go:
        call = server.scorer.Score.future(GOOD)
        assert go.begun.wait(PATIENCE)  # type: ignore[attr-defined]
        call.cancel()
        wait_for(metrics, "cancelled", before + 1)
        server.wait_for_pairs(0)
    assert server.scorer.Score(GOOD).summary.pairs == 2


def test_who_goes_early_is_known(server: Running, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs tell where a call came from whose client has closed its connection before the answer."""
    sources: list[Source] = []
    monkeypatch.setattr(server.core, "_observe", lambda call, _: sources.append(call.source()))
    before = counted(metrics, "cancelled")
    with blocked_network(monkeypatch) as go:
        own_connection = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.address, options=own_connection) as channel:
            call = ScorerStub(channel).Score.future(GOOD)
            assert go.begun.wait(PATIENCE)  # type: ignore[attr-defined]
        wait_for(metrics, "cancelled", before + 1)
        server.wait_for_pairs(0)
    assert call.code() is grpc.StatusCode.CANCELLED
    assert [str(source.peer).partition(":")[0] for source in sources] == ["127.0.0.1"]


def test_who_goes_at_once_is_known(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs tell where calls came from whose client closes its connection before they are handed over."""
    sources: list[Source] = []
    monkeypatch.setattr(server.core, "_observe", lambda call, _: sources.append(call.source()))
    host, port = server.address.split(":")
    call = Frame(FrameType.HEADERS, END_HEADERS, 1, call_headers(b"/semsim.v1.Scorer/Score")).encode()
    deadline = time.monotonic() + PATIENCE
    while len(sources) < 5:  # grpcio may forget some calls
        assert time.monotonic() < deadline
        with socket.create_connection((host, int(port))) as client:
            client.sendall(PREFACE + settings_frame({}) + Frame(FrameType.SETTINGS, ACK).encode() + call)
        time.sleep(0.01)
    assert {str(source.peer).partition(":")[0] for source in sources} == {host}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"limits": {"pairs": 2}, "queue": {"pairs": 2}}, "queue_pairs"),
        ({"limits": {"body_bytes": 12_000}, "queue": {"bytes": 12_000}}, "queue_bytes"),
    ],
)
def test_a_full_queue(
    small_scorer: Scorer,
    metrics: ServiceMetrics,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    reason: str,
) -> None:
    """One request too many is refused at once, with the seconds to wait. Those before it are answered."""
    before = metrics.rejected.labels(reason)._value.get()
    with running(small_scorer, metrics, **settings) as server, blocked_network(monkeypatch) as go:
        first = server.scorer.Score.future(GOOD)
        assert go.begun.wait(PATIENCE)  # type: ignore[attr-defined]
        with pytest.raises(grpc.RpcError) as caught:
            server.scorer.Score(GOOD)
        assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded")
        assert int(metadata(caught.value)["retry-after"]) >= 1  # type: ignore[arg-type]
        assert metrics.rejected.labels(reason)._value.get() == before + 1
        go.set()
        assert first.result(PATIENCE).summary.pairs == 2
        assert server.scorer.Score(GOOD).summary.pairs == 2


def test_many_callers_at_once(server: Running, calibrated: Scorer) -> None:
    """Each of two hundred calls in flight over one connection gets its own scores."""
    images = np.stack([picture(seed=seed) for seed in range(9)])
    expected = [calibrated.score(images[0], image).distance for image in images]

    def one(index: int) -> pb.ScoreRequest:
        return raw_batch(images[:1], images[index : index + 1])

    calls = [(index % 9, server.scorer.Score.future(one(index % 9))) for index in range(200)]
    for index, call in calls:
        assert call.result(PATIENCE).results[0].scored.distance == pytest.approx(expected[index], abs=1e-5)
