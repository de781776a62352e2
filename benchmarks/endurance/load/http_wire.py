"""HTTP/1.1 by hand: what was sent and what came back, to the byte."""

import asyncio
from dataclasses import dataclass
from typing import Self

from benchmarks.endurance.load.running import HOST

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_BUFFER_BYTES = 2**20
_FINAL = 200


class Closed(Exception):
    """The connection was closed, or never opened."""

    def __init__(self, received: int = 0, *, opened: bool = True) -> None:
        super().__init__(f"closed after {received} bytes of an answer")
        self.opened = opened


class NotHTTP(Exception):
    """What came is no HTTP answer."""


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """One answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.headers.get("connection", "").lower() == "close"


class Connection:
    """One TCP connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """A new connection.

        Raises:
            Closed: it is refused.
        """
        try:
            return cls(*await asyncio.open_connection(HOST, port, limit=_BUFFER_BYTES))
        except OSError:
            raise Closed(opened=False) from None

    @property
    def is_over(self) -> bool:
        """Whether the other side has closed it."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def send(self, data: bytes) -> None:
        """Write, and wait until the system has taken it, or so much that what is left fits the buffer.

        Raises:
            Closed: the other side is gone.
        """
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise Closed() from None

    def end_sending(self) -> None:
        """Say that nothing more will be sent, and go on reading."""
        if not self._writer.is_closing() and self._writer.can_write_eof():
            self._writer.write_eof()

    async def answer(self, *, head_only: bool = False) -> HTTPAnswer:
        """The next answer, as a whole, without interim ones; ``head_only`` for the answer to a HEAD.

        Raises:
            Closed: the connection ends before it, or within it.
            NotHTTP: it is none.
        """
        try:
            head = await self._reader.readuntil(_HEAD_END)
        except asyncio.IncompleteReadError as error:
            raise Closed(len(error.partial)) from None
        except OSError:
            raise Closed() from None
        except asyncio.LimitOverrunError:
            raise NotHTTP("a head without an end") from None
        status, headers = _read_head(head)
        if status < _FINAL:
            return await self.answer(head_only=head_only)
        if head_only or status in (204, 304):
            return HTTPAnswer(status, headers, b"")
        try:
            return HTTPAnswer(status, headers, await self._body(headers))
        except asyncio.IncompleteReadError as error:
            raise Closed(len(head) + len(error.partial)) from None
        except OSError:
            raise Closed(len(head)) from None
        except (ValueError, asyncio.LimitOverrunError):
            raise NotHTTP("a body of no length") from None

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.read(-1)
        chunks = []
        while size := int(await self._reader.readuntil(_LINE_END), 16):
            chunks.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(chunks)

    async def some(self) -> bytes:
        """What comes next, of any kind; nothing at the end.

        Raises:
            Closed: it was cut off.
        """
        try:
            return await self._reader.read(_BUFFER_BYTES)
        except OSError:
            raise Closed() from None

    async def unasked(self) -> bytes:
        """What has come that nothing asked for; does not wait for it."""
        try:
            return await asyncio.wait_for(self._reader.read(_BUFFER_BYTES), 0.001)
        except (TimeoutError, OSError):
            return b""

    async def close(self) -> None:
        """Close it in order."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    def abort(self) -> None:
        """Drop it as it is."""
        self._writer.transport.abort()


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head[: -len(_HEAD_END)].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise NotHTTP("no status line")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
