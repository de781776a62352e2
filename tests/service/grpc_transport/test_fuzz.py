"""Hostile messages get documented statuses only and no trace, nothing is logged, and the server still answers."""

import logging
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semsim.exceptions import ErrorCode
from semsim.protos.inference import grpc_predict_v2_pb2 as oip
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import Running, error_code, raw_batch

pytestmark = pytest.mark.slow

TRACES = ("Traceback", 'File "', "site-packages", ".py", "<class")
METHODS = [f"/semsim.v1.Scorer/{name}" for name in ("Score", "GetModel")]
METHODS += [
    f"/inference.GRPCInferenceService/{name}"
    for name in ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
]
METHODS += ["/grpc.health.v1.Health/Check"]
ALLOWED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
IMAGES = np.stack([picture(seed=seed) for seed in range(2)])
GOOD = raw_batch(IMAGES, IMAGES, ("a", "b"))
PAIR = pb.Pair(original=pb.Image(encoded=encode(IMAGES[0])), reconstruction=pb.Image(encoded=encode(IMAGES[1])))

fuzzing = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def quiet_and_alive(server: Running, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test nothing is in the log, and a good request is scored."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not caplog.records
    assert server.scorer.Score(GOOD).summary.failed == 0


def call(server: Running, method: str, message: bytes) -> bytes | None:
    """The answer to a message. None = a civil refusal."""
    try:
        return bytes(server.channel.unary_unary(method)(message, timeout=20))
    except grpc.RpcError as error:
        assert error.code() in ALLOWED, (error.code(), error.details())
        assert ErrorCode(error_code(error))
        assert not [trace for trace in TRACES if trace in error.details()]
        return None


@given(message=st.binary(max_size=400), method=st.sampled_from(METHODS))
@settings(fuzzing, max_examples=400)
def test_any_bytes(server: Running, message: bytes, method: str) -> None:
    """Random bytes to any method are answered or refused."""
    call(server, method, message)


def _infer() -> oip.ModelInferRequest:
    tensors = [
        oip.ModelInferRequest.InferInputTensor(name=name, datatype="UINT8", shape=IMAGES.shape)
        for name in ("originals", "reconstructions")
    ]
    return oip.ModelInferRequest(
        model_name="small", inputs=tensors, raw_input_contents=[IMAGES.tobytes(), IMAGES.tobytes()]
    )


SEEDS = {
    "/semsim.v1.Scorer/Score": [GOOD, pb.ScoreRequest(pairs=[PAIR, PAIR])],
    "/inference.GRPCInferenceService/ModelInfer": [_infer()],
}


@given(
    seed=st.sampled_from([(method, message.SerializeToString()) for method in SEEDS for message in SEEDS[method]]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=10),
    near=st.sampled_from([40, 10**6]),
    cut=st.sampled_from([0, 0, 1, 7, 1000]),
)
@settings(fuzzing, max_examples=400)
def test_damaged_messages(
    server: Running, seed: tuple[str, bytes], edits: list[tuple[int, int]], near: int, cut: int
) -> None:
    """Real messages with changed bytes, mostly where their structure is, and cut ends are answered or refused."""
    method, message = seed
    damaged = bytearray(message)
    for position, value in edits:
        damaged[position % min(near, len(damaged))] = value
    call(server, method, bytes(damaged[: len(damaged) - cut]))


_SIZES = st.integers(0, 40) | st.sampled_from([2**31, 2**32 - 1])
_RAW = st.builds(
    lambda count, height, width, size: pb.RawImages(
        pixels=bytes(size if size is not None else min(count * height * width * 3, 10**5)),
        count=count,
        height=height,
        width=width,
    ),
    st.integers(0, 5) | _SIZES,
    _SIZES,
    _SIZES,
    st.none() | st.integers(0, 5000),
)
_IMAGE = st.none() | st.builds(
    lambda data, raw: (
        pb.Image(encoded=data)
        if data is not None
        else pb.Image(raw=pb.RawImage(pixels=raw.pixels, height=raw.height, width=raw.width))
    ),
    st.none() | st.binary(max_size=50) | st.just(encode(IMAGES[0])),
    _RAW,
)
_REQUEST = st.builds(
    pb.ScoreRequest,
    pairs=st.lists(
        st.builds(pb.Pair, id=st.none() | st.text(max_size=300), original=_IMAGE, reconstruction=_IMAGE), max_size=5
    ),
    original=_IMAGE,
    batch=st.none()
    | st.builds(pb.RawBatch, originals=_RAW, reconstructions=_RAW, ids=st.lists(st.text(max_size=5), max_size=5)),
)


@given(request=_REQUEST)
@settings(fuzzing, max_examples=300)
def test_any_request(server: Running, request: pb.ScoreRequest) -> None:
    """Requests of every shape are refused, or every pair of them is scored or fails with a code."""
    answer = call(server, METHODS[0], request.SerializeToString())
    if answer is None:
        return
    results = pb.ScoreResponse.FromString(answer).results
    assert len(results) == (len(request.pairs) or request.batch.reconstructions.count)
    for result in results:
        assert result.WhichOneof("outcome") == "scored" or ErrorCode(result.error.code)


@given(requests=st.lists(_REQUEST, max_size=6), end=st.none() | st.binary(min_size=1, max_size=20))
@settings(fuzzing, max_examples=60)
def test_any_stream(server: Running, requests: list[pb.ScoreRequest], end: bytes | None) -> None:
    """Each request of a stream gets one answer, however it ends."""
    messages = [pb.ScoreStreamRequest(sequence=i, request=r).SerializeToString() for i, r in enumerate(requests)]
    sent = messages if end is None else [*messages, end]
    seen: list[pb.ScoreStreamResponse] = []
    try:
        answers = server.channel.stream_stream("/semsim.v1.Scorer/ScoreStream")(iter(sent), timeout=20)
        seen.extend(map(pb.ScoreStreamResponse.FromString, answers))
    except grpc.RpcError as error:
        assert (error.code(), error_code(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
        assert end is not None
    answered = sorted(answer.sequence for answer in seen)
    assert set(range(len(requests))) <= set(answered)
    assert all(answer.HasField("response") or ErrorCode(answer.error.code) for answer in seen)
