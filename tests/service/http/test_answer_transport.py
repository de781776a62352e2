"""The parts of an answer that follow at once are sent together; none waits for longer than the event loop's turn."""

import asyncio
import logging
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config
from uvicorn.server import ServerState

from semsim_service.http.answer_transport import AnswerTransport
from semsim_service.http.bounded_connection import BoundedConnection
from semsim_service.http.open_connections import OpenConnections


class Sink(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep a piece."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """True once it is closed."""
        return self.closed

    def close(self) -> None:
        """Close."""
        self.closed = True


def test_head_and_body_are_sent_together() -> None:
    """A head waits for its body, a lone part for the next turn, and what is held is sent before a close."""

    async def run() -> None:
        sink = Sink()
        answers = AnswerTransport(sink, sink.close)
        answers.write(b"head ")
        assert sink.written == []
        answers.write(b"body")
        assert sink.written == [b"head body"]
        answers.write(b"more")
        await asyncio.sleep(0)
        assert sink.written[1:] == [b"more"]
        answers.write(b"last")
        answers.close()
        assert (sink.written[2:], answers.is_closing()) == ([b"last"], True)
        answers.write(b"late")
        await asyncio.sleep(0)
        assert sink.written[3:] == []

    asyncio.run(run())


def test_the_answer_to_head_comes_before_a_refusal_of_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    """An answer without a body is sent as soon as it is over, and nothing is written behind the connection's end."""

    async def answer(_: object) -> Response:
        return Response(b"a body")

    async def run() -> bytes:
        config = Config(Starlette(routes=[Route("/", answer)]), log_config=None)
        made = partial(BoundedConnection, OpenConnections(10), config=config, server_state=ServerState(), app_state={})
        async with await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nno request\r\n\r\n")
            read = await reader.read()
            writer.close()
            await asyncio.sleep(0)
        return read

    with caplog.at_level(logging.ERROR):
        read = asyncio.run(run())
    assert read.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\nHTTP/1.1 400 Bad Request\r\n" in read
    assert not caplog.records
