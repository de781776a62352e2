"""The load generator reads whole answers only."""

import asyncio
import json

import pytest

from benchmarks.harness.http_wire import NotHTTP
from benchmarks.harness.questions import Form
from benchmarks.harness.server import HOST, two_free_ports
from benchmarks.serving.load import HTTPConnection, distances

_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def test_distances_come_in_the_order_of_the_pairs() -> None:
    """JSON, as all contenders answer it."""
    body = json.dumps({"results": [{"distance": 0.5, "mse": 1}, {"distance": 0.25}]}).encode()
    assert distances(body, Form.JSON) == [0.5, 0.25]


async def _exchange(answer: bytes) -> bytes:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(answer)

    port, _ = two_free_ports()
    async with await asyncio.start_server(serve, HOST, port):
        connection = await HTTPConnection.open(port)
        try:
            return await connection.exchange(b"request\n")
        finally:
            connection.abort()


def test_an_answer_is_one_answer() -> None:
    """One without a length, and bytes that nobody asked for, are refused."""
    assert asyncio.run(_exchange(_WHOLE)) == b"body"
    with pytest.raises(RuntimeError, match="expected one answer, got 1 bytes more"):
        asyncio.run(_exchange(_WHOLE + b"!"))
    with pytest.raises(NotHTTP, match="no length"):
        asyncio.run(_exchange(b"HTTP/1.1 200 OK\r\n\r\nbody"))
