"""Requests that gRPC refuses as a whole get a status, a message, and the stable code beside it."""

from collections.abc import Callable

import grpc
import numpy as np
import pytest

from semsim import Scorer
from semsim.exceptions import ErrorCode, Unauthenticated
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.grpc_transport.calls.context import status_of
from tests.encoded import encode, picture
from tests.service.grpc_transport.running import Running, counted, error_code, metadata, raw_batch, raw_images, running

IMAGES = np.stack([picture(seed=seed) for seed in range(2)])
GOOD = raw_batch(IMAGES, IMAGES)
PAIR = pb.Pair(original=pb.Image(encoded=encode(IMAGES[0])), reconstruction=pb.Image(encoded=encode(IMAGES[1])))
MALFORMED = b"\x0a\xff\xff\xff\xff\x0f"


def refused(work: Callable[[], object]) -> tuple[grpc.StatusCode, str | None, str]:
    """The status, the code and the message of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        work()
    return caught.value.code(), error_code(caught.value), caught.value.details()


def batch(**changes: object) -> pb.ScoreRequest:
    """A good batch with fields of it changed."""
    request = pb.ScoreRequest(batch=pb.RawBatch(originals=raw_images(IMAGES), reconstructions=raw_images(IMAGES)))
    for path, value in changes.items():
        place = request.batch
        *parents, name = path.split("__")
        for parent in parents:
            place = getattr(place, parent)
        if isinstance(value, list):
            getattr(place, name).extend(value)
        else:
            setattr(place, name, value)
    return request


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (pb.ScoreRequest(), "invalid_request", "neither"),
        (pb.ScoreRequest(pairs=[PAIR], batch=GOOD.batch), "invalid_request", "both"),
        (pb.ScoreRequest(pairs=[PAIR] * 5), "too_many_pairs", "at most 4 pairs"),
        (batch(reconstructions__count=5), "too_many_pairs", "got 5"),
        (batch(originals__count=2**32 - 1, originals__height=0), "too_many_pairs", "got 4294967295"),
        (batch(originals__count=1), "invalid_request", "originals of 1x24x32x3"),
        (batch(reconstructions__width=31), "invalid_request", "reconstructions of 2x24x31x3"),
        (batch(reconstructions__height=2**32 - 1, reconstructions__width=2**32 - 1), "invalid_request", "expected"),
        (batch(reconstructions__height=0), "invalid_request", "2x0x32"),
        (pb.ScoreRequest(batch=pb.RawBatch()), "invalid_request", "originals"),
        (raw_batch(IMAGES, np.concatenate([IMAGES, IMAGES[:1]])), "invalid_request", "one original, or one for each"),
        (batch(ids=["a"]), "invalid_request", "an id for each of 2"),
        (batch(ids=["a", "x" * 257]), "invalid_request", "256 characters"),
    ],
)
def test_requests_that_do_not_fit(tight_server: Running, request_: pb.ScoreRequest, code: str, words: str) -> None:
    """Too many pairs, and pairs or tensors that do not fit together, are invalid arguments that say what is wrong."""
    status, got, message = refused(lambda: tight_server.scorer.Score(request_))
    assert (status, got) == (grpc.StatusCode.INVALID_ARGUMENT, code)
    assert words in message


@pytest.mark.parametrize(
    "method",
    [
        "/semsim.v1.Scorer/Score",
        "/semsim.v1.Scorer/GetModel",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelMetadata",
        "/inference.GRPCInferenceService/ServerLive",
        "/grpc.health.v1.Health/Check",
    ],
)
def test_bytes_that_are_no_message(tight_server: Running, method: str) -> None:
    """Bytes that are no message are an invalid argument, with the code, where gRPC alone would say INTERNAL."""
    status, code, message = refused(lambda: tight_server.channel.unary_unary(method)(MALFORMED))
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
    assert "expected a message" in message


def test_no_message_at_all(tight_server: Running) -> None:
    """A call that ends before its message is refused."""
    call = tight_server.channel.stream_unary("/semsim.v1.Scorer/Score")
    status, code, _ = refused(lambda: call(iter(())))
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")


def test_messages_that_are_too_large(tight_server: Running) -> None:
    """A message a little over the limit gets the service's code, one far over it gRPC's refusal. The server goes on."""
    little = pb.ScoreRequest(pairs=[pb.Pair(original=pb.Image(encoded=bytes(250_000)))])
    status, code, message = refused(lambda: tight_server.scorer.Score(little))
    assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "body_too_large")
    assert "at most 200000 bytes" in message
    much = pb.ScoreRequest(pairs=[pb.Pair(original=pb.Image(encoded=bytes(4_000_000)))])
    status, _, message = refused(lambda: tight_server.scorer.Score(much))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in message
    assert tight_server.scorer.Score(GOOD).summary.pairs == 2


def test_a_compressed_message(tight_server: Running) -> None:
    """A compressed message is refused at its header: a small one may hold a gigabyte."""
    score = tight_server.scorer.Score
    status, _, message = refused(lambda: score(batch(), compression=grpc.Compression.Gzip))
    assert status is grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in message


def test_unknown_methods(tight_server: Running) -> None:
    """A call of an unknown method is unimplemented."""
    status, _, _ = refused(lambda: tight_server.channel.unary_unary("/semsim.v1.Scorer/Guess")(b""))
    assert status is grpc.StatusCode.UNIMPLEMENTED


def test_every_code_of_a_request_has_its_status() -> None:
    """Every code of a request has its status. Any other code is a fault of the service."""
    expected = {
        "invalid_request": "INVALID_ARGUMENT",
        "too_many_pairs": "INVALID_ARGUMENT",
        "unsupported_media_type": "INVALID_ARGUMENT",
        "body_too_large": "RESOURCE_EXHAUSTED",
        "overloaded": "RESOURCE_EXHAUSTED",
        "unauthenticated": "UNAUTHENTICATED",
        "not_found": "NOT_FOUND",
        "not_ready": "UNAVAILABLE",
        "timeout": "DEADLINE_EXCEEDED",
        "cancelled": "CANCELLED",
    }
    assert {code.value: status_of(code).name for code in ErrorCode if status_of(code).name != "INTERNAL"} == expected


def test_the_token(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Scores and descriptions need the token. Health and the probes do not."""

    def authenticate(given: str | None) -> None:
        if given != "Bearer secret":
            raise Unauthenticated("expected a bearer token, got none or another")

    with running(small_scorer, metrics, authenticate=authenticate) as server:
        guarded = ["semsim.v1.Scorer/Score", "semsim.v1.Scorer/GetModel"]
        guarded += [
            f"inference.GRPCInferenceService/{name}" for name in ("ServerMetadata", "ModelMetadata", "ModelInfer")
        ]
        large = bytes(5_000_000)  # refused before it is read
        for method in guarded:
            for wrong in ((), (("authorization", "Bearer other"),)):
                call = server.channel.unary_unary(f"/{method}")
                status, code, _ = refused(lambda: call(large, metadata=wrong))  # noqa: B023
                assert (status, code) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"), method
        before = counted(metrics, "unauthenticated")
        status, code, _ = refused(lambda: list(server.scorer.ScoreStream(iter(()))))
        assert (status, code) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
        assert counted(metrics, "unauthenticated") == before + 1
        right = (("authorization", "Bearer secret"),)
        assert server.scorer.Score(GOOD, metadata=right).summary.pairs == 2
        stream = server.scorer.ScoreStream(iter([pb.ScoreStreamRequest(request=GOOD)]), metadata=right)
        assert [answer.response.summary.pairs for answer in stream] == [2]
        for method in ("ServerLive", "ServerReady", "ModelReady"):
            server.channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(b"")
        server.channel.unary_unary("/grpc.health.v1.Health/Check")(b"")


def test_two_tokens_in_one_call(tight_server: Running) -> None:
    """Metadata with two tokens are refused, also by a service that asks for none: another reader may take the other."""
    twice = (("authorization", "Bearer one"), ("authorization", "Bearer other"))
    for work in (
        lambda: tight_server.scorer.Score(GOOD, metadata=twice),
        lambda: list(tight_server.scorer.ScoreStream(iter([pb.ScoreStreamRequest(request=GOOD)]), metadata=twice)),
    ):
        status, code, message = refused(work)
        assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
        assert "one authorization" in message


def test_methods_without_a_token_take_small_messages(tight_server: Running) -> None:
    """Health, the probes and reflection take no more than 64 KiB, and say so."""
    for method in ("/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ModelReady"):
        status, code, message = refused(lambda: tight_server.channel.unary_unary(method)(bytes(70_000)))  # noqa: B023
        assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "body_too_large")
        assert "at most 65536 bytes" in message
    reflection = tight_server.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    assert refused(lambda: list(reflection(iter([bytes(70_000)]))))[1] == "body_too_large"


def test_a_fault_of_ours(
    tight_server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of the service is INTERNAL, tells the client nothing more, and is logged with the request's id."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("private")

    monkeypatch.setattr(tight_server.core, "score", broken)
    with pytest.raises(grpc.RpcError) as caught:
        tight_server.scorer.Score(GOOD, metadata=(("x-request-id", "seven"),))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert error_code(caught.value) == "internal"
    assert metadata(caught.value)["x-request-id"] == "seven"  # type: ignore[arg-type]
    assert "private" not in caught.value.details()
    answers = list(tight_server.scorer.ScoreStream(iter([pb.ScoreStreamRequest(sequence=3, request=GOOD)])))
    assert [(a.sequence, a.error.code) for a in answers] == [(3, "internal")]
    assert "private" not in answers[0].error.message
    assert [record.request_id for record in caplog.records if hasattr(record, "request_id")][:1] == ["seven"]
