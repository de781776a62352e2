"""Whether what was answered to a malformed request, with 200, is an answer to it: readable, with a result a pair."""

import json
from urllib.parse import urlsplit

from benchmarks.endurance.load.answers import Unreadable
from benchmarks.endurance.load.http_forms import JSON_TYPE, OCTETS_TYPE, json_rows
from benchmarks.endurance.load.http_wire import HTTPAnswer

_MOST = 256
"""The service's default limit."""


def scored_fault(request: bytes, answer: HTTPAnswer) -> str | None:
    """What is wrong with an answer of 200 to ``request``; nothing where that did not ask for scores."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, *_ = line.split(" ")
    if answer.status != 200 or method != "POST" or urlsplit(target).path != "/score":
        return None
    try:
        results = len(json_rows(answer.body))
    except Unreadable as error:
        return f"200 with {error}"
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    least, most = _asked(headers, body)
    return None if least <= results <= most else f"200 with {results} results for {least} to {most} pairs"


def _asked(headers: dict[str, str], body: bytes) -> tuple[int, int]:
    """The least and the most pairs that a request may be read as having, if it is read at all."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON_TYPE:
            count = len(json.loads(body)["pairs"])
        elif kind == OCTETS_TYPE:
            count = int(headers["x-semsim-shape"].partition(",")[0])
        else:  # bytes that were changed may have undone any part of a form, but not made one
            return 1, min(_MOST, body.count(b"reconstruction"))
    except (ValueError, LookupError, TypeError):  # the service understands it in another way than Python
        return 1, _MOST
    return count, count
