"""What an attempt without an answer means, which depends on when it was."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from benchmarks.harness.clients import Attempt, End, Purpose
from benchmarks.harness.questions import GRPC_FORMS, Form

SETTLE_SECONDS = 0.25
"""A request whose last byte was handed to the system this long before SIGTERM counts as read by the service, which
then owes an answer. Later ones may still have been in the network when it stopped listening."""
RECONNECT_SECONDS = 2.0
"""A gRPC client that found the port closed looks again up to a second later, and says "closed" until then."""


@dataclass(slots=True)
class Times:
    """When things happened to the service, seconds of ``time.monotonic``; infinity = not yet."""

    began: float
    killed: float = inf
    back: float = inf
    """Both ports answer again."""
    burst: float = inf
    """Large requests were sent at once, together more than the queue takes."""
    stopped: float = inf
    """SIGTERM was sent."""
    exited: float = inf


class Fate(StrEnum):
    """Why an attempt got no answer."""

    CUT = "cut by the kill"
    """Begun while the worker lived, unanswered when it was killed: nobody was left to answer."""
    NO_WORKER = "refused while there was no worker"
    STOPPED = "refused because of the stop"
    """Not wholly sent a moment before SIGTERM."""
    TURNED_AWAY = "refused while the service should have served"
    LOST = "lost"


def fate(attempt: Attempt, times: Times) -> Fate:
    """What became of an attempt that got no answer."""
    connected = attempt.end is not End.UNCONNECTED
    if attempt.begun < times.killed <= attempt.ended:
        return Fate.CUT
    if times.killed <= attempt.begun <= times.back + (0 if connected else RECONNECT_SECONDS):
        return Fate.NO_WORKER
    if attempt.ended >= times.stopped and not (connected and _was_read(attempt, times)):
        return Fate.STOPPED
    return Fate.LOST if connected else Fate.TURNED_AWAY


def owed_at_stop(attempt: Attempt, times: Times) -> bool:
    """True where the service owed the attempt an answer when SIGTERM came."""
    return attempt.purpose is Purpose.GOOD and _was_read(attempt, times) and attempt.ended > times.stopped


def _was_read(attempt: Attempt, times: Times) -> bool:
    return attempt.written is not None and attempt.written <= times.stopped - SETTLE_SECONDS


def may_be_refused_as(attempt: Attempt, times: Times) -> set[str]:
    """The codes with which a well-formed request may be turned away, because of when it was.

    The clients have a request each: only the burst before the stop has more pairs than the queue takes. A worker that
    starts, or one that stops, is not ready.
    """
    starts = times.killed <= attempt.ended and attempt.begun <= times.back + RECONNECT_SECONDS
    codes = {"overloaded"} if attempt.ended >= times.burst else set()
    return codes | ({"not_ready"} if starts or attempt.ended >= times.stopped else set())


def may_be_counted_as(attempt: Attempt, times: Times) -> set[str]:
    """The codes that the service may have counted for a request whose end its client did not see; none otherwise.

    It has counted one of them, or none at all where it never saw the request whole.
    """
    if attempt.end is End.LEFT:
        # gRPC may say that the message is missing before it says that the call is cancelled.
        cancelled_early = attempt.form in GRPC_FORMS and attempt.form is not Form.STREAM
        return {"ok", "cancelled"} | ({"invalid_request"} if cancelled_early else set())
    if attempt.end in (End.UNANSWERED, End.UNCONNECTED) and fate(attempt, times) is Fate.CUT:
        return {attempt.wanted_code or "ok"}
    return set()
