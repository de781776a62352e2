"""A client has so long to read its answer, to ask again and to shake hands; descriptors bound connections, too."""

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from semsim.exceptions import InvalidOption
from semsim_service.http import bounded_connection, open_connections, uvicorn_parts
from semsim_service.http.bounded_connection import BoundedConnection
from semsim_service.http.open_connections import OpenConnections
from tests.service.grpc_transport.certificates import Authority

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SIZE = 2**24


@contextlib.asynccontextmanager
async def listening(connections: OpenConnections, keep_alive: int = 75) -> AsyncIterator[tuple[str, int]]:
    """The address of a server whose answers are large."""

    async def answer(_: object) -> Response:
        return Response(bytes(SIZE))

    config = Config(Starlette(routes=[Route("/", answer)]), log_config=None, timeout_keep_alive=keep_alive)
    made = partial(BoundedConnection, connections, config=config, server_state=ServerState(), app_state={})
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


async def closed(connections: OpenConnections) -> None:
    """Wait until no connection is open."""
    async with asyncio.timeout(10):
        while len(connections):
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the times short."""
    monkeypatch.setattr(open_connections, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(bounded_connection, "UNREAD_SECONDS", 0.3)


@pytest.mark.parametrize("requests", [1, 3])
def test_an_answer_that_nobody_reads_is_dropped(requests: int) -> None:
    """A client that reads nothing is gone after a while, and its answer with it."""

    async def check() -> None:
        connections = OpenConnections(64)
        async with listening(connections) as address:
            with socket.create_connection(address) as client:
                client.sendall(GET * requests)
                await asyncio.sleep(0.1)
                assert len(connections) == 1
                await closed(connections)

    asyncio.run(check())


def test_an_idle_connection_is_closed() -> None:
    """A connection that asks for nothing more is closed after uvicorn's time."""

    async def check() -> None:
        connections = OpenConnections(64)
        async with listening(connections, keep_alive=0) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET)
            assert len(await reader.read(-1)) > SIZE
            await closed(connections)
            writer.close()

    asyncio.run(check())


def test_requests_behind_one_another_hold_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all connections hold too much, the rest of one is dropped, and its answer says that it closes."""
    monkeypatch.setattr(bounded_connection, "HELD_BYTES", 1000)

    async def check() -> None:
        connections = OpenConnections(64)
        async with listening(connections) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET * 100)
            answers = await reader.read(-1)
            assert answers.count(b"HTTP/1.1 200 OK") == 1
            assert b"connection: close" in answers
            assert connections.held_bytes == 0
            writer.close()

    asyncio.run(check())


def test_the_longest_waiting_connection_gives_way() -> None:
    """A connection that works is kept, and one that has just come, too."""

    class Ended:
        def __init__(self) -> None:
            self.is_over = False

        def look(self, now: float) -> None:
            """Be in time."""

        def abort(self) -> None:
            """End."""
            self.is_over = True

    async def check() -> None:
        connections = OpenConnections(16)
        first = [Ended() for _ in range(connections.shared)]
        assert not any(connections.admit(each, 0) for each in first)
        connections.works(first[0])
        late = [Ended() for _ in range(3)]
        assert not any(connections.admit(each, 0) for each in late)
        assert [each.is_over for each in first] == [False, True, True, True] + [False] * (connections.shared - 4)
        assert len(connections) == connections.shared
        for each in (*first, *late):
            connections.works(each)
        for_health, too_many = Ended(), Ended()
        assert connections.admit(for_health, 0)
        connections.works(for_health)
        assert connections.admit(too_many, 0)
        assert (for_health.is_over, too_many.is_over) == (False, True)
        for each in (*first, *late, for_health):
            connections.forget(each)
        assert len(connections) == 0

    asyncio.run(check())


def test_a_handshake_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing where TLS is spoken is closed."""
    monkeypatch.setattr(uvicorn_parts, "HANDSHAKE_SECONDS", 0.2)
    signed = Authority(tmp_path, "authority").sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)

    async def check() -> None:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()

    with asyncio.Runner(loop_factory=uvicorn_parts.PatientLoop) as runner:
        runner.run(check())


def test_few_descriptors_allow_few_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker raises its limit as far as it may, and tells where that is not enough."""
    limits = [(256, 100_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    monkeypatch.setattr(uvicorn_parts.uvicorn.config, "HTTP_PROTOCOLS", {})
    monkeypatch.setattr(uvicorn_parts.uvicorn.config, "LOOP_FACTORIES", {})
    assert uvicorn_parts.bound_connections(512).most == 512
    assert limits[-1][0] >= 640
    limits.append((256, 256))
    with caplog.at_level(logging.WARNING, "semsim.service"):
        assert uvicorn_parts.bound_connections(512).most == 128
    assert "got 256: at most 128 connections" in caplog.text


def test_an_unknown_uvicorn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a uvicorn of another form nothing would be bounded, and the service does not start."""
    uvicorn_parts.check_uvicorn()
    monkeypatch.setattr(RequestResponseCycle, "__init__", lambda self, scope: None)
    with pytest.raises(InvalidOption, match="expected a uvicorn whose connections are known"):
        uvicorn_parts.check_uvicorn()
