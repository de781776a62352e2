"""Refuses calls at the gate while the queue is full, for a quarter of what a refusal by grpcio costs.

A call that goes no further than the gate leaves a gap in what grpcio reads, and grpcio must not miss it. So the gate
keeps a call back only where its header block changes nothing for those behind it. Once the queue is full, it asks the
client by a setting to keep no table of headers (RFC 7541, section 4.2), and begins when the client has emptied its own.
Until then grpcio refuses the calls, and always those of clients that write headers in Huffman's code.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from semsim_service.core.call import Source
from semsim_service.grpc_transport.gate.frame_heads import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    FrameHead,
    FrameKind,
    read_head,
    write_frame,
)
from semsim_service.grpc_transport.gate.header_block import empties_table, read_literals, write_trailers

_NO_TABLE = b"\x00\x01" + bytes(4)
"""The setting HEADER_TABLE_SIZE of 0."""
_PLAIN = END_HEADERS | END_STREAM
_MOST_OPEN = 1024

Trailers = Sequence[tuple[str, str]]


class FullQueue(Protocol):
    """Refuses calls for which the queue has no room."""

    @property
    def is_full(self) -> bool:
        """True where every call for scores is refused."""

    def refuse(self, headers: Sequence[tuple[str, str]], source: Callable[[str], Source]) -> Trailers | None:
        """The answer to a call that is refused, which is counted; None for a call that must go on.

        Args:
            headers: the call's headers, as far as they are read.
            source: gives the place that the call of a method comes from.
        """


class EarlyRefusals:
    """Takes the calls that the gate refuses out of the bytes that a caller sends.

    Args:
        queue: the queue.
        source: gives the place that a call of a method comes from.
    """

    def __init__(self, queue: FullQueue, source: Callable[[str], Source]) -> None:
        self._queue = queue
        self._source = source
        self._follows = False
        self._head = b""
        self._left = 0
        self._kept_back = False
        self._asked = self._acknowledged = self._tableless = False
        self._newest = 0
        self._refused: set[int] = set()
        """The refused calls that their client has not ended."""
        self._answers: list[bytes] = []
        self._unread = 0
        """The bytes of refused messages that the client may send once more over the connection."""

    def take(self, data: bytes, left: int | None) -> tuple[bytes, bytes]:
        """Take the next bytes of the caller, once its opening is over.

        Args:
            data: the bytes.
            left: those that the frame before them still has, after all that has gone on; None where nobody knows.

        Returns:
            The bytes that go on, and frames for the caller.
        """
        if not self._follows:
            if left is None or not self._queue.is_full:
                return data, b""
            self._left, self._kept_back = left, False
        taken = self._take(data)
        asking = self._asked and not self._tableless
        self._follows = bool(self._refused or self._head or self._kept_back or asking or self._queue.is_full)
        return taken

    def _take(self, data: bytes) -> tuple[bytes, bytes]:
        data, self._head = self._head + data, b""
        passing: list[bytes] = []
        at = begin = 0
        while at < len(data):
            if not self._left:
                if at + HEAD_BYTES > len(data):
                    self._head = data[at:]
                    break
                head = read_head(data, at)
                kept_back = self._keeps_back(head, data)
                if kept_back != self._kept_back:
                    passing += () if self._kept_back else (data[begin:at],)
                    begin, self._kept_back = at, kept_back
                self._left = HEAD_BYTES + head.size
            step = min(self._left, len(data) - at)
            at, self._left = at + step, self._left - step
        if not self._kept_back:
            passing.append(data[begin:at])
        if self._unread:
            self._answers.append(write_frame(FrameKind.WINDOW_UPDATE, 0, 0, self._unread.to_bytes(4)))
            self._unread = 0
        answers, self._answers = b"".join(self._answers), []
        return passing[0] if len(passing) == 1 else b"".join(passing), answers

    def _keeps_back(self, head: FrameHead, data: bytes) -> bool:
        if head.stream in self._refused:
            if head.kind == FrameKind.DATA:
                self._unread += head.size
            if head.kind == FrameKind.RST_STREAM or (head.kind <= FrameKind.HEADERS and head.flags & END_STREAM):
                self._refused.discard(head.stream)
            return True
        if head.kind == FrameKind.SETTINGS and head.flags & ACK and self._asked and not self._acknowledged:
            self._acknowledged = True
            return True  # grpcio has asked for nothing
        if head.kind == FrameKind.HEADERS and head.stream > self._newest:
            self._newest = head.stream
            return self._refuses(head, data)
        return False

    def _refuses(self, head: FrameHead, data: bytes) -> bool:
        block = data[head.begin : head.end]
        if self._acknowledged and not self._tableless:
            self._tableless = head.flags | _PLAIN == _PLAIN and empties_table(block)
            return False  # grpcio must see that the table is empty
        if not self._queue.is_full or len(self._refused) >= _MOST_OPEN:
            return False
        if not self._asked:
            self._asked = True
            self._answers.append(write_frame(FrameKind.SETTINGS, 0, 0, _NO_TABLE))
        whole = len(block) == head.size and head.flags | END_STREAM == _PLAIN
        headers = read_literals(block) if self._tableless and whole else None
        if headers is None or (trailers := self._queue.refuse(headers, self._source)) is None:
            return False
        self._answers.append(write_frame(FrameKind.HEADERS, _PLAIN, head.stream, write_trailers(trailers)))
        if not head.flags & END_STREAM:
            self._refused.add(head.stream)
        return True
