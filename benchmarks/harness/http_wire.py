"""HTTP/1.1 by hand: what was sent and what came back, to the byte."""

import asyncio
from dataclasses import dataclass
from typing import Self

from benchmarks.harness.server import HOST

_HEAD_END = b"\r\n\r\n"
_BUFFER_BYTES = 2**20
_FINAL = 200


class Closed(Exception):
    """The connection was closed, or never opened."""

    def __init__(self, *, opened: bool = True) -> None:
        super().__init__("the connection was closed")
        self.opened = opened


class NotHTTP(Exception):
    """Something that is no HTTP answer."""


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """True where the connection ends with the answer."""
        return self.headers.get("connection", "").lower() == "close"


def read_head(head: bytes) -> tuple[str, dict[str, str]]:
    """The first line of a message, and its headers, their names in lower case."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in fields}


def take_answer(received: bytes, *, head_only: bool = False, ended: bool = False) -> tuple[HTTPAnswer, bytes] | None:
    """The first answer in ``received`` and what follows it; None where it is not all there.

    ``head_only`` for the answer to a HEAD; ``ended`` where nothing more will come, so that an answer of no stated
    length is whole. Raises :class:`NotHTTP` where there is no answer.
    """
    head, end, rest = received.partition(_HEAD_END)
    if not end:
        if len(head) > _BUFFER_BYTES:
            raise NotHTTP("a head without an end")
        return None
    first, headers = read_head(head)
    version, _, status_text = first.partition(" ")
    if not version.startswith("HTTP/1.") or not status_text[:3].isdecimal():
        raise NotHTTP("no status line")
    if (status := int(status_text[:3])) < _FINAL:
        return take_answer(rest, head_only=head_only, ended=ended)
    length = "0" if head_only or status in (204, 304) else headers.get("content-length")
    if not (headers.get("connection", "").lower() == "close" if length is None else length.isdecimal()):
        raise NotHTTP("a body of no length")
    if len(rest) < int(length or 0) or (length is None and not ended):
        return None
    size = len(rest) if length is None else int(length)
    return HTTPAnswer(status, headers, rest[:size]), rest[size:]


class Connection:
    """One TCP connection to a server. Its methods raise :class:`Closed` where the other side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = b""

    @classmethod
    async def open(cls, port: int) -> Self:
        """A new connection."""
        try:
            return cls(*await asyncio.open_connection(HOST, port, limit=_BUFFER_BYTES))
        except OSError:
            raise Closed(opened=False) from None

    @property
    def is_over(self) -> bool:
        """True where the other side has closed it."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def send(self, data: bytes) -> None:
        """Write, and wait until the system has taken it, or so much that what is left fits the buffer."""
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
        """The next answer as a whole, as :func:`take_answer` has it."""
        ended = False
        while (taken := take_answer(self._received, head_only=head_only, ended=ended)) is None:
            if ended:
                raise Closed()
            piece = await self.some()
            self._received += piece
            ended = not piece
        answer, self._received = taken
        return answer

    async def some(self) -> bytes:
        """The next bytes, whatever they are; nothing at the end."""
        try:
            return await self._reader.read(_BUFFER_BYTES)
        except OSError:
            raise Closed() from None

    async def unasked(self, seconds: float = 0.0) -> bytes:
        """Bytes behind the answers that were read, which nothing asked for; waits for them for so long."""
        if not self._received and seconds:
            try:
                return await asyncio.wait_for(self.some(), seconds)
            except (TimeoutError, Closed):
                return b""
        return self._received

    async def close(self) -> None:
        """Close the connection in order."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    def abort(self) -> None:
        """Drop the connection as it is."""
        self._writer.transport.abort()
