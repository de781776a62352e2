"""Calls are refused at the gate while the queue is full, and their connection serves on."""

from collections.abc import Callable, Sequence

import grpc
import numpy as np
import pytest

from benchmarks.harness.http2 import ACK, END_HEADERS, END_STREAM, Frame, FrameType, call_headers, take_frames
from semsim import Scorer
from semsim.exceptions import Unauthenticated
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.call import Source
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.grpc_transport.gate.early_refusals import EarlyRefusals, Trailers
from semsim_service.grpc_transport.gate.frame_bounds import CallerFrames
from semsim_service.grpc_transport.gate.reset_pace import ResetPace
from semsim_service.settings import QueueLimits
from tests.encoded import picture
from tests.service.grpc_transport.running import counted, error_code, metadata, raw_batch, running

IMAGES = np.stack([picture(64, 64, seed=seed) for seed in range(8)])
LARGE = raw_batch(IMAGES, IMAGES)
"""A message of three windows of HTTP/2."""
_CALL = call_headers(b"/a/Score")


class Queue:
    """A queue that is full, and counts refusals."""

    is_full = True

    def __init__(self) -> None:
        self.refused: list[str] = []

    def refuse(self, headers: Sequence[tuple[str, str]], source: Callable[[str], Source]) -> Trailers | None:
        """Refuse a call of one method."""
        path = dict(headers)[":path"]
        if path != "/a/Score":
            return None
        self.refused.append(path)
        return [("grpc-status", "8")]


def _data(stream: int, size: int, flags: int = 0) -> bytes:
    return Frame(FrameType.DATA, flags, stream, bytes(size)).encode()


def _headers(stream: int, block: bytes = _CALL, flags: int = END_HEADERS) -> bytes:
    return Frame(FrameType.HEADERS, flags, stream, block).encode()


@pytest.mark.parametrize("step", [10**6, 7, 1])
def test_refused_calls_leave_no_trace_behind_the_gate(step: int) -> None:
    """In whatever pieces a call comes, all of it passes, or nothing but its bytes that the client may send again."""
    queue = Queue()
    refusals, frames = EarlyRefusals(queue, lambda method: Source(path=method)), CallerFrames(ResetPace())
    first, ping = _headers(1) + _data(1, 100, END_STREAM), Frame(FrameType.PING, 0, 0, bytes(8)).encode()
    emptied = _headers(3, b"\x20" + _CALL) + _data(3, 10, END_STREAM)
    other = _headers(7, call_headers(b"/a/Check")) + _data(7, 5, END_STREAM)
    acknowledged = Frame(FrameType.SETTINGS, ACK).encode()

    def take(data: bytes, step: int) -> tuple[bytes, list[Frame]]:
        passed = answers = b""
        for at in range(0, len(data), step):
            piece, answer = refusals.take(data[at : at + step], frames.left)
            frames.take(piece, 0.0)
            passed, answers = passed + piece, answers + answer
        return passed, take_frames(answers)[0]

    queue.is_full = False
    assert take(first + ping[:9], step) == (first + ping[:9], [])
    queue.is_full = True
    assert take(ping[9:] + first, step) == (
        ping[9:] + first,
        [Frame(FrameType.SETTINGS, 0, 0, bytes((0, 1, 0, 0, 0, 0)))],
    )
    assert take(first, step) == (first, []), "before it is acknowledged nothing is kept back"
    assert take(acknowledged, step) == (b"", []), "the server has asked for nothing"
    assert take(emptied, max(step, 7)) == (emptied, [])
    assert take(acknowledged, step) == (acknowledged, []), "the server's own setting"
    passed, answers = take(_headers(5), 10**6)
    assert (passed, [(one.kind, one.stream) for one in answers]) == (b"", [(FrameType.HEADERS, 5)])
    passed, answers = take(_data(5, 3000) + ping + other + _data(5, 200, END_STREAM) + _data(5, 1, END_STREAM), step)
    assert passed == ping + other + _data(5, 1, END_STREAM), "the server knows no stream 5, and passes over it"
    assert sum(int.from_bytes(one.payload) for one in answers) == 3200
    assert take(_headers(9, flags=END_HEADERS | END_STREAM), 10**6)[0] == b""
    reset = Frame(FrameType.RST_STREAM, 0, 11, bytes(4)).encode()
    assert take(_headers(11), 10**6)[0] + take(reset, step)[0] == b""
    queue.is_full = False
    assert take(_headers(13), step) == (_headers(13), [])
    assert queue.refused == ["/a/Score"] * 3


def test_a_full_queue_refuses_at_the_gate(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Such refusals are those of the handlers, of any size; other calls go on, and later ones are scored."""

    def authenticate(authorization: str | None) -> None:
        if authorization != "Bearer right":
            raise Unauthenticated("expected the token, got none or another")

    token = ("authorization", "Bearer right")
    with running(small_scorer, metrics, authenticate=authenticate) as server:
        before, most = counted(metrics, "overloaded"), QueueLimits().pairs
        server.core._admission._pairs = most
        refusals = []
        for number in range(12):
            with pytest.raises(grpc.RpcError) as caught:
                server.scorer.Score(LARGE, metadata=(token, ("x-request-id", f"q{number}")))
            refusals.append((caught.value.code(), caught.value.details(), metadata(caught.value)))
        drain = server.transport._drain
        assert drain is not None
        assert drain._begun < 6, "the handlers saw the first calls alone"
        assert {code for code, _, _ in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert {details.rpartition(";")[0] for _, details, _ in refusals} == {
            f"expected room in a queue of {most} pairs, got {most} waiting"
        }
        assert [set(said) for _, _, said in refusals] == [{"x-request-id", "semsim-error-code", "retry-after"}] * 12
        assert [said["x-request-id"] for _, _, said in refusals] == [f"q{number}" for number in range(12)]
        assert counted(metrics, "overloaded") == before + 12
        with pytest.raises(grpc.RpcError) as caught:
            server.scorer.Score(LARGE)
        assert error_code(caught.value) == "unauthenticated"
        assert server.scorer.GetModel(pb.GetModelRequest(), metadata=(token,)).model.name
        server.core._admission._pairs = 0
        assert len(server.scorer.Score(LARGE, metadata=(token,)).results) == 8
