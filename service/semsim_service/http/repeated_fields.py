"""Refuses JSON that gives a field twice: two readers of it could take different images for the original."""

import json
from contextlib import suppress

from semsim.exceptions import InvalidRequest
from semsim_service.core.schemas import ScoreRequest


def may_repeat_fields(body: bytes, request: ScoreRequest) -> bool:
    """False where a body is known to give each field of its request once.

    A field has one colon and Base64 has none, so that colons are counted, which takes little time. What escapes
    characters may hide one.
    """
    fields = len(request.model_fields_set) + sum(len(pair.model_fields_set) for pair in request.pairs)
    in_ids = sum(pair.id.count(":") for pair in request.pairs if pair.id is not None)
    return b"\\" in body or body.count(b":") != fields + in_ids


def refuse_repeated_fields(body: bytes) -> None:
    """Read a body again, and look at the names of each object in it.

    Raises:
        InvalidRequest: an object has a name twice.
    """

    def look(members: list[tuple[str, object]]) -> None:
        if len({name for name, _ in members}) < len(members):
            raise InvalidRequest("expected each field of a JSON object once, got one twice")

    with suppress(ValueError, RecursionError):  # no JSON at all, which is told in other words
        json.loads(body, object_pairs_hook=look, parse_int=len, parse_float=len)
