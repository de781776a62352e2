"""Answers: where one ends, and the distances in it."""

import json
import re
from dataclasses import dataclass

from benchmarks.serving.cells import Format

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes


def take_answer(received: bytes) -> Answer | None:
    """The answer that ``received`` holds; None where it is not all there.

    Raises:
        ValueError: it has no length, or something follows it: nobody asked for more.
    """
    head = received.find(_END_OF_HEAD)
    if head < 0:
        return None
    length = _LENGTH.search(received, 0, head)
    if length is None:
        raise ValueError(f"expected an answer with a Content-Length, got {received[:head]!r}")
    body = received[head + len(_END_OF_HEAD) :]
    missing = int(length[1]) - len(body)
    if missing < 0:
        raise ValueError(f"expected one answer, got {-missing} bytes more")
    return None if missing else Answer(int(received[_STATUS]), body)


def distances(body: bytes, form: Format) -> list[float]:
    """The distances in an answer, in its order."""
    if form is Format.GRPC:
        from semsim_service.protos.semsim.v1 import scorer_pb2 as pb

        return [result.scored.distance for result in pb.ScoreResponse.FromString(body).results]
    return [result["distance"] for result in json.loads(body)["results"]]
