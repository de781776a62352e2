"""Bounds the frames of a connection: those before its client has acknowledged the server's settings, and all others."""

import math

from semsim.exceptions import InvalidRequest
from semsim_service.grpc_transport.gate.frame_heads import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    PREFACE_BYTES,
    FrameHead,
    FrameHeads,
    FrameKind,
    read_head,
)
from semsim_service.grpc_transport.gate.reset_pace import ConnectionPace, ResetPace

_OPENING_BYTES = 2**17
_BLOCK_BYTES = 2**16
# Headers are shorter, but for those by which somebody makes work: a byte may stand for a header of kilobytes.
_LONG_BYTES = 2**10
_CODE_BYTES = 4
# grpcio refuses a call of too many headers by a status alone, and keeps tens of kilobytes of it for a while. The
# service's own refusals have a text and a code.
_WORDLESS_BYTES = 64
_WORDLESS_COST = 4
# Until a connection has had some other answers, calls past the first open ones wait for turns.
_FIRST_CALLS = 128
_KNOWN_AFTER = 32
MOST_CALLS = 1024
"""The most open calls of a connection. Clients are told of it, and keep to it."""


class OpeningBytes:
    """The beginning of a connection, up to the frame by which its client acknowledges the server's settings.

    Calls wait for that frame, since grpcio's limits hold from it on. It may pass them: it says nothing of any stream.
    """

    def __init__(self) -> None:
        self._calls = bytearray()
        self._rest = bytearray()
        self._begun = False

    def take(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take the next bytes.

        Returns:
            The bytes that pass at once. And once the settings are acknowledged, all that comes behind them, else None.

        Raises:
            InvalidRequest: too much came before the settings were acknowledged.
        """
        self._rest += data
        passing = bytearray()
        if not self._begun:
            if len(self._rest) < PREFACE_BYTES:
                return b"", None
            passing += self._rest[:PREFACE_BYTES]
            del self._rest[:PREFACE_BYTES]
            self._begun = True
        while len(self._rest) >= HEAD_BYTES:
            head = read_head(self._rest, 0)
            if len(self._rest) < head.end:
                break
            goes = head.kind == FrameKind.SETTINGS
            (passing if goes else self._calls).extend(self._rest[: head.end])
            del self._rest[: head.end]
            if goes and head.flags & ACK:
                return bytes(passing), bytes(self._calls + self._rest)
        if len(self._calls) + len(self._rest) > _OPENING_BYTES:
            raise InvalidRequest(
                f"expected a client that acknowledges the settings of HTTP/2 within {_OPENING_BYTES} bytes, got more"
            )
        return bytes(passing), None


class CallerFrames:
    """The frames of a client that has acknowledged the settings, and those of the server to it."""

    def __init__(self, turns: ResetPace) -> None:
        self._pace = ConnectionPace(turns)
        self._heads = FrameHeads()
        self._answers = FrameHeads()
        self._block = 0
        self._newest = 0
        self._calls: set[int] = set()
        self._answered: set[int] = set()
        self._good_answers = 0

    def take(self, data: bytes, now: float) -> tuple[int, float]:
        """Look at the client's next bytes.

        Returns:
            The number of bytes that may pass, and the seconds for which the rest and all that follows must wait. They
            are infinite where too many calls are open: it waits until :attr:`has_room`.

        Raises:
            InvalidRequest: a header block does not end.
        """
        for head in self._heads.find(data):
            seconds = self._pace.spend(now, cost) if (cost := self._cost(head)) else 0.0
            if seconds or not self.has_room:
                seconds = seconds or math.inf
                if head.end < len(data):
                    self._heads = FrameHeads()  # the rest is looked at anew, and begins with a frame
                return min(head.end, len(data)), seconds
        return len(data), 0.0

    @property
    def has_room(self) -> bool:
        """False where a client that keeps to the settings would not have so many calls open."""
        return len(self._calls) <= MOST_CALLS

    def _cost(self, head: FrameHead) -> int:
        if head.kind == FrameKind.RST_STREAM:
            self._calls.discard(head.stream)
            self._answered.discard(head.stream)
            return 1
        if head.kind not in (FrameKind.HEADERS, FrameKind.CONTINUATION):
            return 0
        if head.stream > self._newest:
            self._newest = head.stream
            self._calls.add(head.stream)
            begins = len(self._calls) > _FIRST_CALLS and self._good_answers < _KNOWN_AFTER
        else:
            begins = False
        self._block += head.size
        if self._block > _BLOCK_BYTES:
            raise InvalidRequest(f"expected a header block of at most {_BLOCK_BYTES} bytes, got more")
        if head.flags & END_HEADERS:
            self._block = 0
        return head.size // _LONG_BYTES + begins

    @property
    def answers_end(self) -> bool:
        """True where the server's bytes so far end with a frame, so that another one may follow."""
        return self._answers.left == 0

    @property
    def left(self) -> int | None:
        """The bytes that the client's last frame still has; None within the head of a frame."""
        return self._heads.left

    def take_answer(self, data: bytes, now: float) -> float:
        """Look at the server's next bytes. Returns the seconds for which what the client sends must wait."""
        seconds = 0.0
        for head in self._answers.find(data):
            if cost := self._answer_cost(head, data):
                seconds = max(seconds, self._pace.spend(now, cost))
        return seconds

    def _answer_cost(self, head: FrameHead, data: bytes) -> int:
        if head.kind == FrameKind.RST_STREAM:
            self._calls.discard(head.stream)
            self._answered.discard(head.stream)
            # The server resets a call without an error once it has answered it before it was read to its end.
            return int(any(data[head.begin : head.begin + _CODE_BYTES]))
        if head.kind != FrameKind.HEADERS:
            return 0
        cost = head.size // _LONG_BYTES
        if head.flags & END_STREAM:
            self._calls.discard(head.stream)
            if head.stream not in self._answered and head.size < _WORDLESS_BYTES:
                cost, self._good_answers = _WORDLESS_COST, 0
            else:
                self._good_answers += 1
            self._answered.discard(head.stream)
        elif head.stream in self._calls:
            self._answered.add(head.stream)
        return cost
