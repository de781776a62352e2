"""``ScoreStream`` answers several requests over one call."""

import queue
import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from semsim import Scorer
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.grpc_transport.calls import wire
from semsim_service.grpc_transport.semsim_v1 import score_stream
from semsim_service.grpc_transport.semsim_v1.score_stream import IN_FLIGHT
from tests.encoded import encode, picture
from tests.service.grpc_transport.blocking import blocked_network
from tests.service.grpc_transport.running import PATIENCE, Running, counted, error_code, metadata, raw_batch, running

IMAGES = np.stack([picture(seed=seed) for seed in range(8)])


def request(sequence: int, pairs: int = 1) -> pb.ScoreStreamRequest:
    """A request whose scores depend on its sequence."""
    first = sequence % 4
    return pb.ScoreStreamRequest(
        sequence=sequence, request=raw_batch(IMAGES[first : first + 1], IMAGES[first + 1 : first + 1 + pairs])
    )


def test_each_request_is_answered_with_its_sequence(server: Running, calibrated: Scorer) -> None:
    """Each of far more requests than are worked on at once gets its own scores, the model and its timings."""
    sequences = list(range(5, 45))
    call = server.scorer.ScoreStream(map(request, sequences), metadata=(("x-request-id", "s"),))
    answers = {answer.sequence: answer for answer in call}
    assert sorted(answers) == sequences
    for sequence, answer in answers.items():
        expected = calibrated.score(IMAGES[sequence % 4], IMAGES[sequence % 4 + 1])
        assert answer.response.results[0].scored.distance == pytest.approx(expected.distance, abs=1e-5)
        assert answer.response.model.name == "small"
        assert answer.timings.decode_seconds > 0
        assert answer.timings.inference_seconds > 0
    assert metadata(call)["x-request-id"] == "s"


def test_a_refused_request_does_not_end_the_stream(tight_server: Running) -> None:
    """Too many pairs, no pairs and too many bytes are answered as errors between good answers."""
    large = pb.ScoreRequest(pairs=[pb.Pair(original=pb.Image(encoded=bytes(250_000)))])
    bad = pb.ScoreRequest(pairs=[pb.Pair(original=pb.Image(encoded=encode(IMAGES[0])), reconstruction=pb.Image())])
    sent = [
        request(1),
        pb.ScoreStreamRequest(sequence=2, request=raw_batch(IMAGES, IMAGES)),
        pb.ScoreStreamRequest(sequence=3),
        pb.ScoreStreamRequest(sequence=4, request=large),
        pb.ScoreStreamRequest(sequence=5, request=bad),
        request(6),
    ]
    answers = {answer.sequence: answer for answer in tight_server.scorer.ScoreStream(iter(sent))}
    codes = [answers[sequence].error.code for sequence in range(1, 7)]
    assert codes == ["", "too_many_pairs", "invalid_request", "body_too_large", "", ""]
    assert answers[5].response.results[0].error.code == "invalid_pair"
    assert not answers[2].HasField("timings")


def test_bytes_that_are_no_message_end_the_stream(server: Running, metrics: ServiceMetrics) -> None:
    """Requests read before are answered first, and the end is counted like a call's."""
    before = counted(metrics, "invalid_request")
    call = server.channel.stream_stream("/semsim.v1.Scorer/ScoreStream")(
        iter([request(1).SerializeToString(), b"\x0a\xff"])
    )
    answered = pb.ScoreStreamResponse.FromString(next(call))
    assert answered.sequence == 1
    assert answered.HasField("response")
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_code(caught.value) == "invalid_request"
    assert counted(metrics, "invalid_request") == before + 1


def test_a_large_message_that_is_read_is_answered_though_the_service_stops(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that comes while a thread parses a message loses nothing. The stream then ends, which is counted."""
    parsing, stopping = threading.Event(), threading.Event()

    def wait(*arguments: object) -> object:
        parsing.set()
        assert stopping.wait(PATIENCE)
        return wire.parse(*arguments)  # type: ignore[type-var, arg-type]

    monkeypatch.setattr(score_stream, "parse", wait)
    images = np.concatenate([IMAGES] * 31)
    large = pb.ScoreStreamRequest(sequence=7, request=raw_batch(images, images))
    assert large.ByteSize() > wire.AT_ONCE_BYTES
    before = counted(metrics, "not_ready")
    with running(small_scorer, metrics) as server:
        more: queue.SimpleQueue[pb.ScoreStreamRequest | None] = queue.SimpleQueue()
        more.put(large)
        call = server.scorer.ScoreStream(iter(more.get, None))
        assert parsing.wait(PATIENCE)
        stopped = threading.Thread(target=lambda: server.run(server.transport.stop(PATIENCE)))
        stopped.start()
        while server.transport._server is not None:
            time.sleep(0.01)
        stopping.set()
        answer = next(call)
        assert (answer.sequence, answer.response.summary.pairs) == (7, len(images))
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
        stopped.join()
        more.put(None)
    assert counted(metrics, "not_ready") == before + 1


def test_only_so_many_requests_are_read_ahead(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the network stopped, a client that sends on and on is held up, and nothing is refused."""
    taken = []
    score = server.core.score

    async def counted(*arguments: object) -> object:
        taken.append(arguments)
        return await score(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(server.core, "score", counted)
    with blocked_network(monkeypatch) as go:
        call = server.scorer.ScoreStream(map(request, range(3 * IN_FLIGHT)))
        deadline = time.monotonic() + PATIENCE
        while len(taken) < IN_FLIGHT:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(taken) == IN_FLIGHT
        go.set()
        assert sorted(answer.sequence for answer in call) == list(range(3 * IN_FLIGHT))


def test_overload_is_told_in_the_stream(
    small_scorer: Scorer, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that finds the queue full is answered with the seconds to wait; the others are scored."""
    limits = {"pairs": 2}
    with (
        running(small_scorer, metrics, limits=limits, queue={"pairs": 2}) as server,
        blocked_network(monkeypatch) as go,
    ):
        more: queue.SimpleQueue[pb.ScoreStreamRequest | None] = queue.SimpleQueue()
        more.put(request(1, pairs=2))
        call = server.scorer.ScoreStream(iter(more.get, None))
        assert go.begun.wait(PATIENCE)  # type: ignore[attr-defined]
        more.put(request(2))
        refusal = next(call)
        assert (refusal.sequence, refusal.error.code) == (2, "overloaded")
        assert refusal.retry_after_seconds >= 1
        go.set()
        assert next(call).sequence == 1
        more.put(request(3))
        more.put(None)
        assert [(answer.sequence, answer.error.code) for answer in call] == [(3, "")]


def test_the_deadline_of_a_stream(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream past its deadline ends, and its requests leave the queue."""
    more: queue.SimpleQueue[pb.ScoreStreamRequest | None] = queue.SimpleQueue()
    more.put(request(1))
    with blocked_network(monkeypatch):
        call = server.scorer.ScoreStream(iter(more.get, None), timeout=0.5)
        with pytest.raises(grpc.RpcError) as caught:
            for answer in call:  # none, where the client's clock was faster
                assert answer.error.code == "timeout"
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        more.put(None)
    assert server.scorer.Score(request(1).request).summary.pairs == 1


def test_a_cancelled_stream_leaves_nothing_behind(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away in the middle is no error, and the next one is served."""
    stop = threading.Event()

    def forever() -> Iterator[pb.ScoreStreamRequest]:
        sequence = 0
        while not stop.is_set():
            sequence += 1
            yield request(sequence)

    call = server.scorer.ScoreStream(forever())
    for _ in range(20):
        next(call)
    call.cancel()
    stop.set()
    assert [answer.sequence for answer in server.scorer.ScoreStream(iter([request(9)]))] == [9]
    assert not caplog.records
