"""Bodies are read in memory only."""

import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.requests import Request

from semsim.exceptions import RequestCancelled
from semsim_service.http.body import read_body
from semsim_service.http.multipart_body import parse_multipart
from semsim_service.settings import Limits


def request_of(body: bytes, content_type: str) -> Request:
    """A request as a server hands it over, in two chunks."""
    chunks = [body[: len(body) // 2], body[len(body) // 2 :]]
    messages = [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1} for i, chunk in enumerate(chunks)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, receive)


def test_a_large_part_is_never_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of several megabytes are parsed without a temporary file."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an image was about to be written to disk")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    image = b"x" * (5 * 2**20)
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n'
    body = part % (b"original", image) + part % (b"reconstruction", image) + b"--b--\r\n"
    request = request_of(body, "multipart/form-data; boundary=b")

    reserved: list[int] = []

    async def parse() -> list[Any]:
        body = await read_body(request, Limits(), reserved.append)
        return [*parse_multipart(request.headers["content-type"], body, Limits(), lambda: None)]

    run: Callable[[Callable[[], Awaitable[list[Any]]]], list[Any]] = anyio.run
    pairs = run(parse)
    assert len(pairs) == 1
    assert pairs[0].original == pairs[0].reconstruction == image
    assert sum(reserved) == len(body)


def test_room_is_taken_for_what_came_not_for_what_was_announced() -> None:
    """A client that announces much and sends a little takes room for the little. A full queue refuses it first."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x" * 10, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [(b"content-length", b"60000000")]}
    reserved: list[int] = []

    async def read() -> bytes:
        return await read_body(Request(scope, receive), Limits(), reserved.append)

    with pytest.raises(RequestCancelled):
        anyio.run(read)
    assert reserved == [1, 9]
