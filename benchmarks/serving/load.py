"""The load generator: a closed loop of clients over requests that are ready, in a process of its own.

It shares the machine with the server, so that it does as little as can be, and tells what it took.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.harness.grpc_messages import grpc_message, message_rows
from benchmarks.harness.http_messages import http_parts, request_bytes
from benchmarks.harness.http_wire import Connection
from benchmarks.harness.processes import cpu_seconds, memory_bytes, tree
from benchmarks.harness.questions import Form
from benchmarks.serving.calls import CallConnection
from benchmarks.serving.cells import Cell, Run, ServingPlan, percentile
from benchmarks.serving.contenders import Contender
from benchmarks.serving.pairs import Pairs

# Batches of other sizes round otherwise.
_TOLERANCE = 1e-4
# One answer in so many is kept, and checked after the measurement.
_SAMPLED = 16


def measure(folder: Path, contender: Contender, cell: Cell, plan: ServingPlan) -> Run:
    """Load a server with the pairs of a folder, and check a sample of its answers.

    Raises RuntimeError where an answer's distances are not the library's: a server that answers wrong must not win.
    """
    server = tree(contender.pid)
    spent: list[tuple[float, float]] = []
    requests = _requests(folder, cell.side, cell.pairs, contender.form, contender.path)
    window = _Window(requests, cell, plan, lambda: spent.append((cpu_seconds(server), time.process_time())))
    uvloop.run(window.run(contender))
    known = Pairs.load(folder, cell.side).distances.reshape(-1, cell.pairs)
    for index, body in window.sample:
        got = distances(body, contender.form)
        if len(got) != cell.pairs or not np.allclose(got, known[index], rtol=0, atol=_TOLERANCE):
            raise RuntimeError(f"expected distances {known[index]}, got {got}")
    count = len(window.latencies) * cell.pairs
    theirs, ours = (after - before for before, after in zip(*spent, strict=True))
    p50, p99 = (percentile(window.latencies, share) for share in (0.5, 0.99))
    seconds = window.measured
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
    """One measurement: warm-up until the time is over and every client has an answer, then the window."""

    requests: list[bytes]
    cell: Cell
    plan: ServingPlan
    at_edges: Callable[[], None]
    """Called when the window opens and when it closes, each time at an answer."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, of the answers within the window."""
    sample: list[tuple[int, bytes]] = field(default_factory=list)
    """Requests by index, and their answers."""
    measured: float = 0.0
    """Seconds that the window was open; 0 until it has closed."""
    _next: int = 0
    _unanswered: int = 0
    _began: float = field(default_factory=time.perf_counter)
    _opened: float = 0.0

    async def run(self, contender: Contender) -> None:
        """Run all clients until each has its last answer."""
        self._unanswered = self.cell.clients
        kind = CallConnection if contender.form is Form.BATCH else HTTPConnection
        connections = [await kind.open(contender.port) for _ in range(self.cell.clients)]
        try:
            await asyncio.gather(*(self._client(connection) for connection in connections))
        finally:
            for connection in connections:
                connection.abort()

    async def _client(self, connection: CallConnection | HTTPConnection) -> None:
        first = True
        while not self.measured:
            # In turn over all clients, so that the requests in flight differ.
            index, self._next = self._next, (self._next + 1) % len(self.requests)
            sent = time.perf_counter()
            body = await connection.exchange(self.requests[index])
            self._unanswered -= first
            first = False
            self._answered(index, sent, body)

    def _answered(self, index: int, sent: float, body: bytes) -> None:
        now = time.perf_counter()
        if self._opened and not self.measured:
            self.latencies.append(now - sent)
            if len(self.latencies) % _SAMPLED == 1:
                self.sample.append((index, body))
            if now - self._opened >= self.plan.seconds:
                self.at_edges()
                self.measured = now - self._opened
        elif not self.measured and self._unanswered == 0 and now - self._began >= self.plan.warm_up:
            self.at_edges()
            self._opened = time.perf_counter()
