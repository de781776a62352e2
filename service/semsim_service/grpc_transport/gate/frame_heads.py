"""Finds the heads of HTTP/2's frames (RFC 9113, section 4.1) in the bytes of one direction of a connection."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_HEAD = struct.Struct(">BHBBI")
_STREAM_BITS = 2**31 - 1
HEAD_BYTES = _HEAD.size
"""The bytes of a head."""
PREFACE_BYTES = 24
"""The bytes that a client sends before its first frame."""
ACK = 0x1
"""The flag of SETTINGS that acknowledges the other side's."""
END_STREAM = 0x1
"""The flag of the last frame of one side of a stream."""
END_HEADERS = 0x4
"""The flag of the frame that ends a header block."""


class FrameKind(IntEnum):
    """The kinds of frames that the gate looks at."""

    DATA = 0x0
    HEADERS = 0x1
    RST_STREAM = 0x3
    SETTINGS = 0x4
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


class FrameHead(NamedTuple):
    """The head of a frame, and the place of what follows it."""

    kind: int
    flags: int
    stream: int
    size: int
    """The bytes that follow the head."""
    begin: int
    """The place behind the head in the bytes that were looked at. The frame may end beyond them."""

    @property
    def end(self) -> int:
        """The place behind the frame."""
        return self.begin + self.size


def read_head(data: bytes | bytearray, at: int) -> FrameHead:
    """The head that begins at ``at``. All its bytes are there."""
    high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
    return FrameHead(kind, flags, stream & _STREAM_BITS, high << 16 | low, at + HEAD_BYTES)


def write_frame(kind: FrameKind, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of at most 65,535 bytes behind its head."""
    return _HEAD.pack(0, len(payload), kind, flags, stream) + payload


class FrameHeads:
    """Follows one direction, in whatever pieces its bytes come."""

    def __init__(self) -> None:
        self._left = 0
        self._part = b""

    @property
    def left(self) -> int | None:
        """The bytes that the last frame still has, 0 where the bytes so far end with it; None within a head."""
        return None if self._part else self._left

    def find(self, data: bytes) -> Iterator[FrameHead]:
        """The heads that end within ``data``, the next bytes. Take all of them, or call :meth:`cut`."""
        at = self._left
        if self._part:
            missing = HEAD_BYTES - len(self._part)
            if len(data) < missing:
                self._part += data
                return
            head = read_head(self._part + data[:missing], 0)._replace(begin=missing)
            self._part = b""
            self._left = max(0, head.end - len(data))
            yield head
            at = head.end
        while at + HEAD_BYTES <= len(data):
            head = read_head(data, at)
            at = head.end
            self._left = max(0, at - len(data))
            yield head
        self._left = max(0, at - len(data))
        self._part = data[at:]
