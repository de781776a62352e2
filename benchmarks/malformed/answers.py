"""The faults of HTTP answers to malformed requests."""

import json
from urllib.parse import urlsplit

from benchmarks.harness.http_wire import HTTPAnswer, read_head
from benchmarks.harness.log import traces_in
from benchmarks.harness.messages import JSON_TYPE, OCTETS_TYPE, error_code, json_rows
from benchmarks.harness.rows import Unreadable
from benchmarks.malformed.inputs.http_bodies import WANTED, WANTED_HEADER

_DOCUMENTED = {503: "not_ready", 504: "timeout"}
"""The only answers of 500 and above that are no fault, and their codes."""
_MOST = 256
"""The service's default limit of pairs."""


def describe(answer: HTTPAnswer) -> str:
    """An HTTP answer in a word or two: its status and code."""
    code = error_code(answer.body) if answer.status >= 400 else None
    return f"{answer.status} {code}" if code else str(answer.status)


def http_fault(answer: HTTPAnswer, *, enveloped: bool) -> str | None:
    """The fault of an answer, whatever was sent, or None; ``enveloped`` where an error must carry its code."""
    code = error_code(answer.body)
    if 200 < answer.status < 400:
        return f"{answer.status} to {answer.headers.get('location', 'nowhere')[:200]}"
    if answer.status >= 500 and _DOCUMENTED.get(answer.status) != code:
        return f"{answer.status} {answer.body[:200]!r}"
    if shown := traces_in(answer.body + repr(answer.headers).encode()):
        return f"{answer.status} shows {shown}"
    if enveloped and answer.status >= 400 and code is None:
        return f"{answer.status} without the envelope: {answer.body[:200]!r}"
    return None


def request_fault(request: bytes, answer: HTTPAnswer) -> str | None:
    """The fault of an answer to this request, or None: it is what the request says; 200 has a result for each pair."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, headers = read_head(head)
    method, target, *_ = line.split(" ")
    came, wanted = describe(answer), headers.get(WANTED_HEADER.lower(), "")
    if wanted and came not in wanted.split("|"):
        return f"{came}, {WANTED}{wanted}"
    if answer.status != 200 or method != "POST" or urlsplit(target).path != "/score":
        return None
    try:
        rows = json_rows(answer.body)
    except Unreadable as error:
        return f"200 with {error}"
    least, most = _asked(headers, body)
    if not least <= len(rows) <= most:
        return f"200 with {len(rows)} results for {least} to {most} pairs"
    for row in rows:
        wanted, came = row.id or "", row.code or ("uninformative" if row.uninformative else "scored")
        if wanted.startswith(WANTED) and came not in wanted.removeprefix(WANTED).split("|"):
            return f"200 with {came}, {wanted}"
    return None


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
