"""What became of every request of a soak."""

from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.endurance.load.questions import GRPC_FORMS, Form, Row


class Kind(StrEnum):
    """What a client means to do."""

    GOOD = "well-formed"
    MALFORMED = "malformed"
    CANCELLED = "cancelled by the client"


class End(StrEnum):
    """How one attempt ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """With an error and its code."""
    UNANSWERED = "unanswered"
    """The connection was closed with no answer."""
    UNCONNECTED = "unconnected"
    """There was no connection to send it over."""
    LEFT = "left"
    """The client cancelled it before there was an answer."""
    HUNG = "hung"
    """No answer, and the connection still open, after the client's whole patience."""
    GARBLED = "garbled"
    """Something that is no answer."""


@dataclass(slots=True)
class Attempt:
    """One request as it was sent once."""

    seed: int
    form: Form
    kind: Kind
    begun: float
    """Seconds of ``time.monotonic``, as all here."""
    written: float | None = None
    """When the last byte of it was handed to the system; None when it never was."""
    ended: float = 0.0
    end: End = End.UNANSWERED
    rows: list[Row] = field(default_factory=list)
    code: str | None = None
    """Of a refusal."""
    wanted_code: str | None = None
    """The refusal that a malformed one must get."""
    wrong: str | None = None
    """What was wrong with the answer beside its rows: another request's id, or more than one answer."""


@dataclass(slots=True)
class Times:
    """When what happened to the service, seconds of ``time.monotonic``; infinity = not yet."""

    began: float
    killed: float = float("inf")
    back: float = float("inf")
    """Both ports answer again."""
    burst: float = float("inf")
    """Large requests were sent at once, together more than the queue takes."""
    stopped: float = float("inf")
    """SIGTERM was sent."""
    exited: float = float("inf")


class Fate(StrEnum):
    """What an attempt without an answer means."""

    CUT = "cut by the kill"
    """Begun while the worker lived, unanswered when it was killed: nobody was left to answer."""
    NO_WORKER = "refused while there was no worker"
    STOPPED = "refused because of the stop"
    """Not wholly sent a moment before SIGTERM."""
    TURNED_AWAY = "refused while the service should have served"
    LOST = "lost"


SETTLE_SECONDS = 0.25
"""A request whose last byte was handed to the system this long before SIGTERM counts as read by the service, which
then owes an answer. Later ones may still have been in the network when it stopped listening."""

RECONNECT_SECONDS = 2.0
"""A gRPC client that found the port closed looks again up to a second later, and says "closed" until then."""


def fate(attempt: Attempt, times: Times) -> Fate:
    """What became of an attempt that got no answer."""
    connected = attempt.end is not End.UNCONNECTED
    if attempt.begun < times.killed <= attempt.ended:
        return Fate.CUT
    if times.killed <= attempt.begun <= times.back + (0 if connected else RECONNECT_SECONDS):
        return Fate.NO_WORKER
    written = attempt.written if attempt.written is not None and connected else float("inf")
    if attempt.ended >= times.stopped and written > times.stopped - SETTLE_SECONDS:
        return Fate.STOPPED
    return Fate.LOST if connected else Fate.TURNED_AWAY


def may_be_refused_as(attempt: Attempt, times: Times) -> frozenset[str]:
    """The codes with which a well-formed request may be turned away, because of when it was.

    The clients have a request each: only the burst before the stop has more pairs than the queue takes. A worker that
    starts, or one that stops, is not ready.
    """
    starts = times.killed <= attempt.ended and attempt.begun <= times.back + RECONNECT_SECONDS
    codes = {"overloaded"} if attempt.ended >= times.burst else set()
    codes |= {"not_ready"} if starts or attempt.ended >= times.stopped else set()
    return frozenset(codes)


def may_be_counted_as(attempt: Attempt, times: Times) -> frozenset[str]:
    """The codes that the service may have counted for a request whose end its client did not see; none otherwise.

    Only one of them, or none at all where the service never saw it whole.
    """
    if attempt.end is End.LEFT:
        # gRPC may say that the message is missing before it says that the call is cancelled.
        cancelled_early = attempt.form in GRPC_FORMS and attempt.form is not Form.STREAM
        return frozenset({"ok", "cancelled"} | ({"invalid_request"} if cancelled_early else set()))
    if attempt.end in (End.UNANSWERED, End.UNCONNECTED) and fate(attempt, times) is Fate.CUT:
        return frozenset({attempt.wanted_code or "ok"})
    return frozenset()


def in_flight_at_stop(attempt: Attempt, times: Times) -> bool:
    """Whether the service owed it an answer when SIGTERM came."""
    written = attempt.written if attempt.written is not None else float("inf")
    return attempt.kind is Kind.GOOD and written <= times.stopped - SETTLE_SECONDS and attempt.ended > times.stopped
