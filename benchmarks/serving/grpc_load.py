"""gRPC clients, a connection each: messages go out as they are, and come back unread."""

import asyncio
import time
from typing import cast

from benchmarks.serving import http2
from benchmarks.serving.connections import connect_all
from benchmarks.serving.http2 import Frame, Kind
from benchmarks.serving.script import Script

_ROOM = 2**24
_HEADERS = http2.header_block(
    {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/semsim.v1.Scorer/Score",
        ":authority": "127.0.0.1",
        "te": "trailers",
        "content-type": "application/grpc",
    }
)


class _Client(asyncio.Protocol):
    """One connection, with one call at a time."""

    def __init__(self, script: Script, done: "asyncio.Future[None]") -> None:
        self._script = script
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer = b""
        self._first = True
        self._index = 0
        self._sent_at = 0.0
        self._stream = -1
        self._message = b""
        self._sent = 0
        self._stream_window = self._initial_window = self._window = http2.WINDOW

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        # No header table, so that answers need no state; and room for all of them.
        values = {http2.HEADER_TABLE_SIZE: 0, http2.INITIAL_WINDOW_SIZE: _ROOM}
        self._transport.write(http2.PREFACE + http2.settings(values) + http2.window_update(0, _ROOM))

    def data_received(self, data: bytes) -> None:
        """Do what each frame asks for."""
        frames, self._received = http2.take_frames(self._received + data if self._received else data)
        for frame in frames:
            self._take(frame)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionError("expected a connection that stays open, got one that the server closed"))

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.DATA:
                self._answer += frame.payload
                self._write(http2.window_update(0, len(frame.payload)))
            case Kind.SETTINGS if not frame.flags & http2.ACK:
                self._set(http2.read_settings(frame))
            case Kind.PING if not frame.flags & http2.ACK:
                self._write(Frame(Kind.PING, http2.ACK, 0, frame.payload).encode())
            case Kind.WINDOW_UPDATE:
                if frame.stream == 0:
                    self._window += http2.read_window_update(frame)
                elif frame.stream == self._stream:
                    self._stream_window += http2.read_window_update(frame)
                self._send_more()
            case Kind.RST_STREAM | Kind.GOAWAY:
                self._fail(RuntimeError(f"expected an answer, got a frame of type {frame.kind}: {frame.payload!r}"))
        if frame.kind in (Kind.DATA, Kind.HEADERS) and frame.flags & http2.END_STREAM:
            self._end()

    def _set(self, values: dict[int, int]) -> None:
        size = values.get(http2.INITIAL_WINDOW_SIZE, self._initial_window)
        self._stream_window += size - self._initial_window
        self._initial_window = size
        self._write(Frame(Kind.SETTINGS, http2.ACK, 0, b"").encode())
        if self._stream < 0:
            self._send()

    def _send(self) -> None:
        self._index = self._script.next()
        self._sent_at = time.perf_counter()
        self._stream += 2
        self._stream_window = self._initial_window
        self._message = http2.with_length(self._script.requests[self._index])
        self._sent = 0
        self._answer = b""
        self._write(Frame(Kind.HEADERS, http2.END_HEADERS, self._stream, _HEADERS).encode())
        self._send_more()

    def _send_more(self) -> None:
        """As much of the message as the server has room for."""
        size = min(len(self._message) - self._sent, self._window, self._stream_window)
        if size > 0:
            frames = http2.data_frames(self._stream, self._message, self._sent, self._sent + size)
            self._write(b"".join(frames))
            self._sent += size
            self._window -= size
            self._stream_window -= size

    def _end(self) -> None:
        answer = http2.without_length(self._answer)
        if answer is None:
            self._fail(RuntimeError("expected a message, got an error"))
            return
        goes_on = self._script.answered(self._index, self._sent_at, answer, self._first)
        self._first = False
        if goes_on:
            self._send()
        elif not self._done.done():
            self._done.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


async def run(script: Script, port: int) -> None:
    """Run the script; returns when each client has its last answer."""
    await connect_all(script, port, _Client)
