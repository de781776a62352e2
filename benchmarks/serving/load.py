"""The load generator: a closed loop of clients over requests that are ready, in a process of its own.

It shares the machine with the server, so that it does as little as can be, and tells what it took.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.harness import http2
from benchmarks.harness.http2 import Frame, FrameType
from benchmarks.harness.http_wire import Closed, Connection
from benchmarks.harness.messages import SCORE, grpc_message, http_parts, message_rows, request_bytes
from benchmarks.harness.processes import cpu_seconds, memory_bytes, tree
from benchmarks.harness.questions import Form
from benchmarks.serving.cells import Cell, Run, ServingPlan, percentile
from benchmarks.serving.contenders import Contender
from benchmarks.serving.pairs import Pairs

# Batches of other sizes round otherwise.
_TOLERANCE = 1e-4
# One answer in so many is kept, and checked after the measurement.
_SAMPLED = 16
_ROOM = 2**31 - 1
"""Bytes that the server may send, which is more than any run's answers."""
_HEADERS = http2.call_headers(SCORE.encode())


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
        data, sent, payload = http2.with_length(message), 0, b""
        self._ended = False
        while not self._ended:
            size = max(0, min(len(data) - sent, self._window, self._stream_window))
            await self.send(self._out + b"".join(http2.data_frames(self._stream, data, sent, sent + size)))
            self._out, sent = b"", sent + size
            self._window, self._stream_window = self._window - size, self._stream_window - size
            if not (piece := await self.some()):
                raise Closed()
            frames, self._received = http2.take_frames(self._received + piece)
            for frame in frames:
                self._take(frame)
                payload += frame.payload if frame.kind == FrameType.DATA else b""
        if (answer := http2.without_length(payload)) is None:
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


def measure(folder: Path, contender: Contender, cell: Cell, plan: ServingPlan) -> Run:
    """Load a server with the pairs of a folder, and check a sample of its answers.

    Raises RuntimeError where an answer's distances are not the library's: a server that answers wrong must not win.
    """
    server = tree(contender.pid)
    requests = _requests(folder, cell.side, cell.pairs, contender.form, contender.path)
    window = _Window(lambda: (time.perf_counter(), cpu_seconds(server), time.process_time()))
    uvloop.run(_load(requests, contender, cell, plan, window))
    known = Pairs.load(folder, cell.side).distances.reshape(-1, cell.pairs)
    for index, body in window.sample:
        got = distances(body, contender.form)
        if len(got) != cell.pairs or not np.allclose(got, known[index], rtol=0, atol=_TOLERANCE):
            raise RuntimeError(f"expected distances {known[index]}, got {got}")
    count = len(window.latencies) * cell.pairs
    seconds, theirs, ours = (after - before for before, after in zip(*window.edges, strict=True))
    p50, p99 = (percentile(window.latencies, share) for share in (0.5, 0.99))
    return Run(count / seconds, p50, p99, theirs / max(1, count), memory_bytes(server), ours / seconds)


@cache
def _requests(folder: Path, side: int, size: int, form: Form, path: str) -> list[bytes]:
    questions = Pairs.load(folder, side).questions(size, form)
    if form is Form.BATCH:
        return [grpc_message(question, "") for question in questions]
    return [request_bytes(*http_parts(question), path=path) for question in questions]


def distances(body: bytes, form: Form) -> list[float]:
    """The distances in an answer, in its order."""
    if form is Form.BATCH:
        return [row.distance for row in message_rows(form, body)]
    return [result["distance"] for result in json.loads(body)["results"]]


class HTTPConnection(Connection):
    """One connection, with one request at a time."""

    async def exchange(self, request: bytes) -> bytes:
        """Send a request; the answer's body. Raises RuntimeError where it is refused, or more than one answer comes."""
        await self.send(request)
        answer = await self.answer()
        if answer.status != 200:
            raise RuntimeError(f"expected status 200, got {answer.status}: {answer.body[:300]!r}")
        if more := await self.unasked():
            raise RuntimeError(f"expected one answer, got {len(more)} bytes more")
        return answer.body


@dataclass(slots=True)
class _Window:
    """The time that is measured: it begins and ends at an answer, when ``look`` reads the clocks."""

    look: Callable[[], tuple[float, float, float]]
    edges: list[tuple[float, float, float]] = field(default_factory=list)
    """The clocks when the window opened, and when it closed."""
    latencies: list[float] = field(default_factory=list)
    """The latencies of the answers within the window, in seconds."""
    sample: list[tuple[int, bytes]] = field(default_factory=list)
    """Requests by index, and their answers."""


async def _load(requests: list[bytes], contender: Contender, cell: Cell, plan: ServingPlan, window: _Window) -> None:
    """Run clients: warm-up until the time is over and each has an answer, then the window, then the last answers."""
    turn = itertools.cycle(enumerate(requests))  # over all clients, so that the requests in flight differ
    began, unanswered = time.perf_counter(), cell.clients

    async def client(connection: CallConnection | HTTPConnection) -> None:
        nonlocal unanswered
        answered = False
        while len(window.edges) < 2:
            index, request = next(turn)
            sent = time.perf_counter()
            body = await connection.exchange(request)
            now = time.perf_counter()
            unanswered -= not answered
            answered = True
            if not window.edges:
                if unanswered == 0 and now - began >= plan.warm_up:
                    window.edges.append(window.look())
            elif len(window.edges) == 1:
                window.latencies.append(now - sent)
                if len(window.latencies) % _SAMPLED == 1:
                    window.sample.append((index, body))
                if now - window.edges[0][0] >= plan.seconds:
                    window.edges.append(window.look())

    kind = CallConnection if contender.form is Form.BATCH else HTTPConnection
    connections = [await kind.open(contender.port) for _ in range(cell.clients)]
    try:
        await asyncio.gather(*map(client, connections))
    finally:
        for connection in connections:
            connection.abort()
