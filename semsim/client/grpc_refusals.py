"""Calls that ended without an answer, as setbacks with errors of the project's tree."""

import grpc

from semsim.client.refusals import error_of, printable
from semsim.client.retrying import Setback, unreachable
from semsim.exceptions import BodyTooLarge, ErrorCode, InvalidAnswer, NotFound, Overloaded, SemSimError, Unauthenticated
from semsim.pairs import PairFailure

_PASSING = frozenset({ErrorCode.OVERLOADED, ErrorCode.NOT_READY})
_BY_STATUS: dict[grpc.StatusCode, type[SemSimError]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated, grpc.StatusCode.PERMISSION_DENIED: Unauthenticated,
    grpc.StatusCode.UNIMPLEMENTED: NotFound, grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidAnswer, grpc.StatusCode.FAILED_PRECONDITION: InvalidAnswer,
    grpc.StatusCode.OUT_OF_RANGE: InvalidAnswer, grpc.StatusCode.ALREADY_EXISTS: InvalidAnswer,
}  # fmt: skip
"""The errors of refusals without the service's code: those of proxies before the service, and of other services."""
_TOO_LARGE = "larger than max"
"""The words of gRPC's own refusal of a message, which has no code."""


def setback_of(url: str, call: "grpc.Call") -> Setback:
    """The setback of a call that has ended without an answer: the service's refusal, or a call that was lost.

    The service sends its code with each of its refusals. A status without one is gRPC's own or that of a proxy: the
    connection broke, or the attempt took too long.
    """
    status, details = call.code(), printable(call.details() or "")
    metadata = {key: value for key, value in call.trailing_metadata() or () if isinstance(value, str)}
    given, after = metadata.get("semsim-error-code"), metadata.get("retry-after", "")
    wait = float(after[:9]) if after.isascii() and after.isdigit() else None
    if given in set(ErrorCode):
        code = ErrorCode(given)
        if code is ErrorCode.OVERLOADED:
            return Setback(Overloaded(details, round(wait or 0)), wait=wait)
        return Setback(error_of(PairFailure(code, details)), code in _PASSING, wait)
    message = f"expected an answer of the service, got {status.name}: {details}"
    if given is not None:
        return Setback(InvalidAnswer(message), is_passing=False)
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if _TOO_LARGE in details:
            return Setback(BodyTooLarge(message), is_passing=False)
        return Setback(Overloaded(message, round(wait or 0)), wait=wait)
    if status in _BY_STATUS:
        return Setback(_BY_STATUS[status](message), is_passing=False)
    lost = unreachable(url, f"{status.name}: {details}")
    return Setback(lost.error, wait=wait)
