"""A lean gRPC client: it takes a fifth of the CPU of a full one, and the load generator shares the machine."""

import asyncio

from benchmarks.harness import http2
from benchmarks.harness.grpc_messages import SCORE
from benchmarks.harness.http2 import Frame, FrameType
from benchmarks.harness.http_wire import Closed, Connection

_ROOM = 2**31 - 1
"""Bytes that the server may send, which is more than any run's answers."""
_HEADERS = http2.header_block(http2.call_fields(SCORE.encode()))


class CallConnection(Connection):
    """One HTTP/2 connection, with one call at a time: messages go out as they are, and come back unread."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        # No header table, so that answers need no state.
        room = Frame(FrameType.WINDOW_UPDATE, payload=(_ROOM - http2.WINDOW).to_bytes(4, "big"))
        values = {http2.HEADER_TABLE_SIZE: 0, http2.INITIAL_WINDOW_SIZE: _ROOM}
        self._out = http2.PREFACE + http2.settings(values) + room.encode()
        self._stream = -1
        self._window = self._initial_window = self._stream_window = http2.WINDOW

    async def exchange(self, message: bytes) -> bytes:
        """Call ``Score``; the answer's message. Raises RuntimeError where the call fails."""
        self._stream += 2
        self._stream_window = self._initial_window
        self._out += Frame(FrameType.HEADERS, http2.END_HEADERS, self._stream, _HEADERS).encode()
        data, sent, told = http2.with_length(message), 0, b""
        self._ended = False
        while not self._ended:
            size = max(0, min(len(data) - sent, self._window, self._stream_window))
            await self.send(self._out + b"".join(http2.data_frames(self._stream, data, sent, sent + size)))
            self._out, sent = b"", sent + size
            self._window, self._stream_window = self._window - size, self._stream_window - size
            if not (piece := await self.some()):
                raise Closed(len(told))
            frames, self._received = http2.take_frames(self._received + piece)
            for frame in frames:
                self._take(frame)
                told += frame.payload if frame.kind == FrameType.DATA else b""
        if (answer := http2.without_length(told)) is None:
            raise RuntimeError("expected a message, got an error")
        return answer

    def _take(self, frame: Frame) -> None:
        """Do what a frame asks for."""
        match frame.kind:
            case FrameType.DATA | FrameType.HEADERS:
                self._ended = bool(frame.flags & http2.END_STREAM)
            case FrameType.SETTINGS if not frame.flags & http2.ACK:
                size = http2.read_settings(frame).get(http2.INITIAL_WINDOW_SIZE, self._initial_window)
                self._stream_window += size - self._initial_window
                self._initial_window = size
                self._out += Frame(FrameType.SETTINGS, http2.ACK).encode()
            case FrameType.PING if not frame.flags & http2.ACK:
                self._out += Frame(FrameType.PING, http2.ACK, 0, frame.payload).encode()
            case FrameType.WINDOW_UPDATE if frame.stream == 0:
                self._window += int.from_bytes(frame.payload, "big")
            case FrameType.WINDOW_UPDATE if frame.stream == self._stream:
                self._stream_window += int.from_bytes(frame.payload, "big")
            case FrameType.RST_STREAM | FrameType.GOAWAY:
                raise RuntimeError(f"expected an answer, got a frame of type {frame.kind}: {frame.payload!r}")
