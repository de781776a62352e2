"""Uvicorn answers bytes that are not HTTP in the service's envelope."""

import asyncio
import json
import logging
import socket

import pytest
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from semsim_service.http import malformed
from tests.service.live import LiveService

GARBAGE = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


async def _answer_of_uvicorn() -> bytes:
    """The answer of uvicorn, without an application, to garbage."""
    config, state = Config(Starlette(), log_config=None), ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpToolsProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(GARBAGE)
        answer = await reader.read()
        writer.close()
    return answer


def test_garbage_is_answered_in_the_envelope(service: LiveService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn's own answer is plain text. The service's is its envelope, and the connection ends."""
    assert b"content-type: text/plain" in asyncio.run(_answer_of_uvicorn())
    original = HttpToolsProtocol.send_400_response
    with monkeypatch.context() as context:
        context.setattr(HttpToolsProtocol, "send_400_response", original)
        assert malformed.answer_malformed_in_envelope()
        assert b"content-type: application/json" in asyncio.run(_answer_of_uvicorn())
    port = int(service.url.rpartition(":")[2])
    logged = service.log
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(GARBAGE)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(body)["error"]["code"] == "invalid_request"
    assert f"content-length: {len(body)}".encode() in head
    assert service.log == logged


def test_a_uvicorn_that_is_not_known_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For a uvicorn that answers in another way one line is logged, and nothing is replaced."""

    def send_400_response(self: object, msg: str) -> None:
        """Answer in another way."""

    monkeypatch.setattr(HttpToolsProtocol, "send_400_response", send_400_response)
    with caplog.at_level(logging.WARNING, "semsim.service"):
        assert not malformed.answer_malformed_in_envelope()
    assert HttpToolsProtocol.send_400_response is send_400_response
    assert len(caplog.records) == 1
