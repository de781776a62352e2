"""Answers that are no success, and failed pairs, as errors of the project's tree."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from semsim import exceptions
from semsim.exceptions import (
    BodyTooLarge,
    ErrorCode,
    InvalidAnswer,
    NotFound,
    NotReady,
    Overloaded,
    RequestTimeout,
    SemSimError,
    ServiceFault,
    Unauthenticated,
)
from semsim.pairs import PairFailure

_LONGEST = 500
_BY_STATUS: dict[int, type[SemSimError]] = {
    401: Unauthenticated, 403: Unauthenticated, 404: NotFound, 413: BodyTooLarge,
    500: ServiceFault, 502: NotReady, 503: NotReady, 504: RequestTimeout,
}  # fmt: skip
"""The errors of answers without a code: those of proxies before the service."""


def _below(kind: type[SemSimError]) -> Iterator[type[SemSimError]]:
    yield kind
    for lower in kind.__subclasses__():
        if lower.__module__ == exceptions.__name__:
            yield from _below(lower)


_BY_CODE = {kind.code: kind for kind in _below(SemSimError)} | {ErrorCode.INTERNAL: ServiceFault}
"""The error of each code; where a class and its parent share one, the class. A fault inside is the service's here."""


def refusal_of(response: httpx.Response) -> SemSimError:
    """The error that an answer stands for: that of its code, else that of its status."""
    try:
        problem = json.loads(response.content)["error"]
        code, message = ErrorCode(problem["code"]), printable(str(problem["message"]))
    except (ValueError, KeyError, TypeError):
        code, message = None, f"expected an answer of the service, got HTTP {response.status_code}"
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Overloaded(message, round(retry_after(response) or 0))
    if code is not None:
        return error_of(PairFailure(code, message))
    return _BY_STATUS.get(response.status_code, InvalidAnswer)(message)


def error_of(failure: PairFailure) -> SemSimError:
    """The error that a code and its message stand for, such as those of a failed pair for callers who asked for one."""
    if failure.code is ErrorCode.OVERLOADED:
        return Overloaded(failure.message, 0)
    return _BY_CODE.get(failure.code, SemSimError)(failure.message)


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that ``Retry-After`` asks to wait, given as a number or as a date; None where it is missing."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:  # RFC 5322 says "-0000" for a time of UTC without a place
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def printable(message: str) -> str:
    """A message of a service, short and without characters that would control a terminal."""
    return "".join(one if one.isprintable() else "?" for one in message[:_LONGEST])
