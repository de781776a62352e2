"""The bodies of HTTP/1.1 requests: where one ends in the bytes of its connection."""

import re
from typing import Protocol

from semsim_service.http.refused import RefusedConnection

_SIZE_LINE_BYTES = 128
_SPARE_BYTES = 2**16
"""The bytes around the data of chunks that every body may have. Past them they must be fewer than the data."""
_LONGEST_NUMBER = 15
_CONTROLS = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")


class FramedBody(Protocol):
    """A body of which more may come."""

    ended: bool

    def take(self, received: bytearray) -> bytes:
        """Take out of ``received`` what belongs to the body, as far as it has come. Returns the data in it.

        Raises:
            RefusedConnection: the bytes are no such body.
        """


class SizedBody:
    """A body of ``Content-Length``."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = length == 0

    def take(self, received: bytearray) -> bytes:
        """Take as many bytes as are still due."""
        data = bytes(received) if len(received) <= self._left else bytes(memoryview(received)[: self._left])
        del received[: len(data)]
        self._left -= len(data)
        self.ended = not self._left
        return data


class ChunkedBody:
    """A body of ``Transfer-Encoding: chunked``, without trailers.

    Chunks of a byte, or with long extensions, make much work of little data: the bytes around the data are counted.
    """

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        """The bytes of the current chunk that are still due, its line end included. 0 = a size is due."""
        self._last = False
        self._data = self._around = 0

    def take(self, received: bytearray) -> bytes:
        """Take all whole lines, and the data between them."""
        data: list[bytes] = []
        at = 0
        while not self.ended and at < len(received):
            if self._left == 0:
                end = received.find(b"\r\n", at, at + _SIZE_LINE_BYTES)
                if end < 0:
                    if len(received) - at >= _SIZE_LINE_BYTES:
                        raise RefusedConnection("expected the size of a chunk, got a long line")
                    break
                self._begin_chunk(bytes(received[at:end]))
                self._count_around(end + 4 - at)
                at = end + 2
            elif self._left > 2:
                piece = bytes(memoryview(received)[at : at + self._left - 2])
                data.append(piece)
                self._left -= len(piece)
                self._data += len(piece)
                at += len(piece)
            else:
                if len(received) - at < 2:
                    break
                self._end_chunk(bytes(received[at : at + 2]))
                at += 2
        del received[:at]
        return b"".join(data)

    def _begin_chunk(self, line: bytes) -> None:
        if _CONTROLS.search(line):  # a proxy may take a bare line feed in an extension for the line's end
            raise RefusedConnection("expected the size of a chunk in a line, got a control character in it")
        number = line.partition(b";")[0].rstrip(b" \t")
        if not 0 < len(number) <= _LONGEST_NUMBER or not _HEXADECIMAL.issuperset(number):
            raise RefusedConnection("expected the size of a chunk in hexadecimal digits, got something else")
        size = int(number, 16)
        self._last = size == 0
        self._left = size + 2

    def _end_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            raise RefusedConnection(
                "expected a chunked body without trailers, got a trailer"
                if self._last
                else "expected a line end after a chunk, got something else"
            )
        self._left = 0
        self.ended = self._last

    def _count_around(self, size: int) -> None:
        self._around += size
        if self._around > _SPARE_BYTES + self._data:
            raise RefusedConnection("expected chunks of more data than there is around it, got many small ones")


def body_of(headers: list[tuple[bytes, bytes]]) -> FramedBody:
    """The body that the headers of a request announce. Without a header it has no bytes.

    Raises:
        RefusedConnection: they announce none that is understood, or two.
    """
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings == [b"chunked"] and not lengths:
        return ChunkedBody()
    if codings or len(lengths) > 1:
        raise RefusedConnection("expected one Content-Length, or Transfer-Encoding: chunked, got another framing")
    if not lengths:
        return SizedBody(0)
    if not lengths[0].isdigit() or len(lengths[0]) > _LONGEST_NUMBER:
        raise RefusedConnection("expected Content-Length to be a number of bytes, got something else")
    return SizedBody(int(lengths[0]))
