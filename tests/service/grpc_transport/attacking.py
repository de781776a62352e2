"""A client of HTTP/2 that keeps to the windows of the server, and to nothing else."""

import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf

from benchmarks.harness.http2 import (
    ACK,
    END_HEADERS,
    END_STREAM,
    INITIAL_WINDOW_SIZE,
    PREFACE,
    WINDOW,
    Frame,
    FrameType,
    call_headers,
    literal,
    read_settings,
    settings,
    take_frames,
)

_PIECE = bytes(16_384)
_DYNAMIC = 62
"""The index of the newest field in the table of a connection (RFC 7541, 2.3.3)."""
HUGE = struct.pack(">BI", 0, 60 * 2**20)
"""The beginning of a message of 60 MiB."""


def remembered(path: bytes, *more: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header block of a connection's first call, whose fields both sides remember, and that of all later calls.

    The later one is a byte for each field, the newest first in the table: ``62`` is the last of ``more``.
    """
    call = (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"127.0.0.1")
    fields = (*call, (b"te", b"trailers"), (b"content-type", b"application/grpc"), *more)
    first = b"".join(b"\x40" + literal(*header)[1:] for header in fields)
    return first, bytes(0x80 | _DYNAMIC + len(fields) - 1 - number for number in range(len(fields)))


class Attacker:
    """One connection."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.settimeout(0.2)
        self._rest, self._initial, self._next = b"", WINDOW, 1
        self._windows = {0: WINDOW}
        self.statuses: list[bytes] = []
        """The blocks of the answers' headers and trailers."""
        self.closed = False
        self._send(PREFACE + settings({}))

    def call(
        self, path: bytes, begin: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = (), *, ends: bool = False
    ) -> int:
        """Begin a call with the first bytes of its messages. Returns its stream."""
        stream, self._next = self._next, self._next + 2
        block = call_headers(path) + b"".join(literal(*header) for header in headers)
        self._send(Frame(FrameType.HEADERS, END_HEADERS, stream, block).encode())
        self._windows[stream] = self._initial
        if begin or ends:
            self._send_data(stream, begin, END_STREAM if ends else 0)
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """Send the last bytes of a call."""
        self._send_data(stream, data, END_STREAM)

    def pour(self, seconds: float, but: int = 0, most: float = inf) -> None:
        """Send zeros to all calls but one, as many as their windows allow, until ``most`` bytes are sent."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.closed and most > 0:
            for stream in set(self._windows) - {0, but}:
                while (size := min(len(_PIECE), self._windows[0], self._windows.get(stream, 0))) > 0:
                    self._send_data(stream, _PIECE[:size])
                    most -= size
            self.listen()

    def flood(self, frames: Callable[[int], bytes], seconds: float) -> None:
        """Send what ``frames`` makes for stream after stream, as fast as the connection takes it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.closed:
            self._send(b"".join(frames(self._next + 2 * number) for number in range(50)))
            self._next += 100
            self.listen()

    def shove(self, frames: Callable[[int], bytes], seconds: float) -> None:
        """Send what ``frames`` makes for stream after stream, and read nothing, as long as the connection takes it."""
        end = time.monotonic() + seconds
        with suppress(OSError):
            while (left := end - time.monotonic()) > 0:
                self._socket.settimeout(left)
                self._socket.sendall(b"".join(frames(self._next + 2 * number) for number in range(50)))
                self._next += 100

    def listen(self) -> None:
        """Take what the server has sent."""
        try:
            received = self._socket.recv(2**20)
        except TimeoutError:
            return
        except OSError:  # the server has closed the connection
            received = b""
        self.closed = self.closed or not received
        frames, self._rest = take_frames(self._rest + received)
        for frame in frames:
            self._take(frame)

    def close(self) -> None:
        """Close the connection without a word."""
        self._socket.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind == FrameType.SETTINGS and not frame.flags & ACK:
            initial = read_settings(frame).get(INITIAL_WINDOW_SIZE, self._initial)
            for stream in list(self._windows)[1:]:
                self._windows[stream] += initial - self._initial
            self._initial = initial
            self._send(Frame(FrameType.SETTINGS, ACK).encode())
        elif frame.kind == FrameType.WINDOW_UPDATE and frame.stream in self._windows:
            self._windows[frame.stream] += struct.unpack(">I", frame.payload)[0]
        elif frame.kind == FrameType.PING and not frame.flags & ACK:
            self._send(Frame(FrameType.PING, ACK, 0, frame.payload).encode())
        elif frame.kind == FrameType.HEADERS:
            self.statuses.append(frame.payload)
        elif frame.kind == FrameType.RST_STREAM:
            self._windows.pop(frame.stream, None)
        elif frame.kind == FrameType.GOAWAY:
            self.closed = True

    def _send_data(self, stream: int, data: bytes, flags: int = 0) -> None:
        self._windows[0] -= len(data)
        self._windows[stream] -= len(data)
        self._send(Frame(FrameType.DATA, flags, stream, data).encode())

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            self._socket.settimeout(20)
            self._socket.sendall(data)
        self._socket.settimeout(0.2)
