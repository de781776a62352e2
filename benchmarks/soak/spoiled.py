"""Questions made wrong in ways whose refusal is known: a request, and the code with which it must be refused."""

import numpy as np

from benchmarks.harness.grpc_messages import grpc_message
from benchmarks.harness.http_messages import JSON_TYPE, OCTETS_TYPE, http_parts, request_bytes
from benchmarks.harness.questions import HTTP_FORMS, Form, Question
from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

INVALID, TOO_MANY, MEDIA, NOT_FOUND = "invalid_request", "too_many_pairs", "unsupported_media_type", "not_found"
_TOO_MANY_PAIRS = 300
"""More than the service's default limit."""


def spoil(question: Question, model: str) -> tuple[bytes, str]:
    """The question's request, made wrong in a way that its seed says, and the code."""
    ways = _http_ways(question) if question.form in HTTP_FORMS else _grpc_ways(question, model)
    return ways[int(np.random.default_rng([question.seed, 0xBAD]).integers(len(ways)))]


def _http_ways(question: Question) -> list[tuple[bytes, str]]:
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
    return [(request_bytes({"X-Request-Id": question.name, **chosen}, wrong), code) for chosen, wrong, code in ways]


def _grpc_ways(question: Question, model: str) -> list[tuple[bytes, str]]:
    short = pb.RawImages(pixels=b"\0" * 10, count=1, height=8, width=8)
    wrong = [
        (pb.ScoreRequest(), INVALID),
        (pb.ScoreRequest(batch=pb.RawBatch(originals=short, reconstructions=short)), INVALID),
        (pb.ScoreRequest(pairs=[pb.Pair()] * _TOO_MANY_PAIRS), TOO_MANY),
    ]
    whole = grpc_message(question, model)
    match question.form:
        case Form.STREAM:  # bytes that are no message would end the stream
            streamed = ((pb.ScoreStreamRequest(sequence=question.seed, request=one), code) for one, code in wrong)
            return [(message.SerializeToString(), code) for message, code in streamed]
        case Form.INFER:
            return [(grpc_message(question, model + "-not"), NOT_FOUND), (whole[: len(whole) // 2], INVALID)]
        case _:
            return [(whole[:-1], INVALID), *((request.SerializeToString(), code) for request, code in wrong)]
