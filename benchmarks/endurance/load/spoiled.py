"""Questions made wrong in ways whose refusal is known."""

from collections.abc import Callable

import numpy as np

from benchmarks.endurance.load import grpc_forms
from benchmarks.endurance.load.http_forms import JSON_TYPE, OCTETS_TYPE, http_parts, request_bytes, request_id
from benchmarks.endurance.load.questions import Form, Question
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

INVALID, TOO_MANY, MEDIA, NOT_FOUND = "invalid_request", "too_many_pairs", "unsupported_media_type", "not_found"
_TOO_MANY_PAIRS = 300
"""More than the service's default limit."""

Spoiled = tuple[bytes, str]
"""A request, and the code with which it must be refused."""


def spoil_http(question: Question) -> Spoiled:
    """The question's request, made wrong; its seed says how."""
    rng = np.random.default_rng([question.seed, 0xBAD])
    headers, body = http_parts(question)
    many = ",".join(['{"original":"","reconstruction":""}'] * _TOO_MANY_PAIRS)
    ways: list[tuple[dict[str, str], bytes, str]] = [
        (headers, body[: len(body) // 2], INVALID),
        ({**headers, "Content-Type": "text/plain"}, body, MEDIA),
        ({**headers, "Content-Encoding": "gzip"}, body, MEDIA),
        ({"Content-Type": JSON_TYPE}, b'{"pairs":[]}', INVALID),
        ({"Content-Type": JSON_TYPE}, f'{{"pairs":[{many}]}}'.encode(), TOO_MANY),
        ({"Content-Type": OCTETS_TYPE}, body, INVALID),
        ({"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": "2,8,8"}, b"\0" * 100, INVALID),
        ({"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": f"{_TOO_MANY_PAIRS},8,8"}, body, TOO_MANY),
    ]
    chosen, content, code = ways[int(rng.integers(len(ways)))]
    return request_bytes({"X-Request-Id": request_id(question), **chosen}, content), code


def spoil_grpc(question: Question, model: str) -> Spoiled:
    """The question's message, made wrong; its seed says how."""
    rng = np.random.default_rng([question.seed, 0xBAD])
    whole = grpc_forms.grpc_message(question, model)
    if question.form is Form.STREAM:  # bytes that are no message would end the stream
        request = _wrong_requests()[int(rng.integers(3))]
        return pb.ScoreStreamRequest(sequence=question.seed, request=request[0]).SerializeToString(), request[1]
    if question.form is Form.INFER:
        ways: list[Callable[[], Spoiled]] = [
            lambda: (grpc_forms.grpc_message(question, model + "-not"), NOT_FOUND),
            lambda: (whole[: len(whole) // 2], INVALID),
        ]
    else:
        ways = [
            lambda: (whole[: len(whole) - 1], INVALID),
            *(lambda wrong=wrong: (wrong[0].SerializeToString(), wrong[1]) for wrong in _wrong_requests()),
        ]
    return ways[int(rng.integers(len(ways)))]()


def _wrong_requests() -> list[tuple[pb.ScoreRequest, str]]:
    short = pb.RawImages(pixels=b"\0" * 10, count=1, height=8, width=8)
    return [
        (pb.ScoreRequest(), INVALID),
        (pb.ScoreRequest(batch=pb.RawBatch(originals=short, reconstructions=short)), INVALID),
        (pb.ScoreRequest(pairs=[pb.Pair()] * _TOO_MANY_PAIRS), TOO_MANY),
    ]
