"""One connection of HTTP/1.1: uvicorn's, with bounds on all that a client can do before anybody asks for its token.

Uvicorn's parser gets the head of one request, and nothing else. Where the body ends is told here, and what comes behind
it waits until the request is answered. So no byte is read in two ways, whatever a client asks for by ``Upgrade``, which
is ignored as RFC 9110 (section 7.8) allows.
"""

import asyncio
import math
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from semsim.exceptions import ErrorCode
from semsim_service.http.answer_transport import AnswerTransport
from semsim_service.http.client_presence import ClientPresence, put_presence
from semsim_service.http.framing import FramedBody, body_of
from semsim_service.http.front_door import HEALTH, too_many_connections
from semsim_service.http.open_connections import HELD_BYTES, OpenConnections
from semsim_service.http.peers import name_client, source_of_connection
from semsim_service.http.refused import RefusedConnection
from semsim_service.http.request_target import in_origin_form

HEAD_BYTES = 2**16
"""The most bytes of a request's line and headers."""
HEADERS = 100
"""The most headers."""
URL_BYTES = 2**13
"""The most bytes of the path and the query."""
HEAD_SECONDS = 10.0
"""The seconds from a connection, or from a later request's first byte, to the end of its head."""
UNWANTED_SECONDS = 10.0
"""The seconds that a client may go on with a body after its answer."""
UNREAD_SECONDS = 20.0
"""The seconds in which a client must read something of an answer."""
_LINGER_SECONDS = 2.0
_HEAD_END = b"\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """A connection.

    Args:
        connections: all open ones.
        **uvicorn: what uvicorn gives to a protocol.
    """

    def __init__(self, connections: OpenConnections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._open = connections
        self._for_health, self._any = False, self.app
        self._received = bytearray()
        """The bytes that have come and are not read."""
        self._held = 0
        """The bytes of it that wait for an answer to be over."""
        self._head_bytes = 0
        """The bytes of the head that is being read. 0 = none has come."""
        self._tail = b""
        self._body: FramedBody | None = None
        """The body that is being read. None = a head is due."""
        self._client = ClientPresence()
        self._answer: AnswerTransport | None = None
        """The transport of the answer that is being made."""
        self._fault: RefusedConnection | None = None
        """The error of a callback. The parser raises another one in its place."""
        self._first = True
        self._refused = False
        """True where nothing more is read."""
        self._closes = False
        """True where the connection ends with the body that is being read."""
        self._stops = False
        """True where the service stops, and waits for nothing but answers."""
        self._head_by = self._written_by = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        super().connection_made(transport)
        now = self.loop.time()
        self._head_by = now + HEAD_SECONDS
        self._for_health = self._open.admit(self, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and let the application know."""
        self._open.forget(self)
        self._received.clear()
        self._hold(0)
        super().connection_lost(exc)
        self._client.end()

    def data_received(self, data: bytes) -> None:
        """Read what has come, as far as it is its turn."""
        if not self._refused:
            self._received += data
            self._read()

    def look(self, now: float) -> None:
        """End the connection if it is late."""
        if self.transport.is_closing():
            self._written_by = min(self._written_by, now + UNREAD_SECONDS)
        if now > self._written_by or (self._refused and now > self._head_by):
            self.abort()
        elif now > self._head_by and not self.transport.is_closing():
            if self._head_bytes:
                late = f"expected the head of a request within {HEAD_SECONDS:g} s, got a part of it"
                self._refuse(RefusedConnection(late, HTTPStatus.REQUEST_TIMEOUT))
            else:
                self.transport.close()

    def abort(self) -> None:
        """Close at once. What is not sent yet is lost."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._written_by = self.loop.time() + UNREAD_SECONDS
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._written_by = math.inf
        super().resume_writing()

    def _read(self) -> None:
        try:
            while self._received and not self._refused:
                if self._body is not None:
                    self._read_body(self._body)
                    if self._body is not None:  # a part of a line is left, and the rest of it is to come
                        break
                elif self.cycle is not None:
                    self._hold(len(self._received))
                    return
                else:
                    self._read_head()
            self._hold(0)
        except RefusedConnection as refused:
            self._refuse(refused)

    def _hold(self, size: int) -> None:
        """Keep ``size`` bytes until the answer is over, and take no more; none is kept where all hold too many."""
        self._open.held_bytes += size - self._held
        self._held = size
        if not size:
            return
        self.flow.pause_reading()
        if self._open.held_bytes > HELD_BYTES and self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False  # what is dropped may be sent again, over another connection
            self._received.clear()
            self._hold(0)

    def _read_head(self) -> None:
        if not self._head_bytes:
            self._begin_head()
        seen = self._tail + self._received[:HEAD_BYTES] if self._tail else self._received
        end = seen.find(_HEAD_END, 0, HEAD_BYTES)
        size = len(self._received) if end < 0 else end + len(_HEAD_END) - len(self._tail)
        piece = bytes(memoryview(self._received)[: min(size, HEAD_BYTES - self._head_bytes)])
        del self._received[: len(piece)]
        self._head_bytes += len(piece)
        self._tail = (self._tail + piece)[1 - len(_HEAD_END) :]
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            raise self._fault or RefusedConnection("expected an HTTP/1.1 request, got something else") from None
        if self.headers is not None and len(self.headers) > HEADERS:
            raise _TooLong(f"expected at most {HEADERS} headers, got more")
        if self._head_bytes >= HEAD_BYTES:
            raise _TooLong(f"expected at most {HEAD_BYTES} bytes of headers, got more")

    def _begin_head(self) -> None:
        if not self._first:  # the first one is due from the connection on
            self._head_by = self.loop.time() + HEAD_SECONDS
        self._tail = b""
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        if len(self.url) + len(url) > URL_BYTES:
            long = f"expected a URL of at most {URL_BYTES} bytes, got more"
            self._fault = RefusedConnection(long, HTTPStatus.REQUEST_URI_TOO_LONG)
            raise self._fault
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        version = self.parser.get_http_version()
        try:
            if version not in ("1.0", "1.1"):
                raise RefusedConnection("expected an HTTP/1.1 request, got one of another version")
            if len(self.headers) > HEADERS:
                raise _TooLong(f"expected at most {HEADERS} headers, got more")
            body = body_of(self.headers)
            self.url = in_origin_form(self.url, self.headers)
        except RefusedConnection as refused:
            self._fault = refused
            raise
        if self._for_health:
            path = self.url.partition(b"?")[0].decode("latin-1")
            self.app = self._any
            if path not in HEALTH:
                self.app = too_many_connections
                self._log(ErrorCode.OVERLOADED, HTTPStatus.TOO_MANY_REQUESTS)
        name_client(self.scope, self.transport)
        put_presence(self.scope, self._client)
        self.expect_100_continue = self.expect_100_continue and version == "1.1"  # an older client knows no 100
        super().on_headers_complete()
        self.cycle.transport = self._answer = AnswerTransport(self.transport, self.end)
        self._first, self._head_bytes, self._head_by = False, 0, math.inf
        self._open.works(self)
        self._body = body
        self._end_body(body)

    def on_body(self, body: bytes) -> None:
        """Refuse what the parser takes for a body: it gets no byte of one."""
        raise RefusedConnection("expected headers that end with an empty line, got another end")

    def on_message_complete(self) -> None:
        """Do nothing. The parser does not see where a request ends."""

    def _should_upgrade(self) -> bool:
        return False

    def _read_body(self, body: FramedBody) -> None:
        data = body.take(self._received)
        if self.cycle is not None and data:
            self.cycle.body += data
            if len(self.cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            self.cycle.message_event.set()
        self._end_body(body)

    def _end_body(self, body: FramedBody) -> None:
        if not body.ended:
            return
        self._body = None
        if self._closes:
            self._refused = True
            self._received.clear()
            self.transport.close()
        elif self.cycle is None:
            self._head_by = self.loop.time() + self.timeout_keep_alive
        else:
            self.cycle.more_body = False
            self.cycle.message_event.set()
            self.flow.resume_reading()  # a large body pauses it, and nobody would see the client go

    def shutdown(self) -> None:
        """Close, where an answer is due behind it."""
        self._stops = True
        super().shutdown()

    def end(self) -> None:
        """Close. Where the client still sends its body, read on to its end, since a reset would lose the answer."""
        if self._body is None or self._stops or not self.cycle.response_complete:
            self.transport.close()
        else:
            self._closes = True

    def on_response_complete(self) -> None:
        """Keep nothing of the request, and read on."""
        if self._answer is not None:
            self._answer.flush()  # the head of an answer to HEAD has no body, and another answer may follow at once
            self._answer = None
        self.server_state.total_requests += 1
        self.cycle = self.scope = None  # type: ignore[assignment]
        self.headers = []
        if self.transport.is_closing():
            return
        self._open.waits(self)
        self._head_by = self.loop.time() + (self.timeout_keep_alive if self._body is None else UNWANTED_SECONDS)
        self.flow.resume_reading()
        self._read()

    def _refuse(self, refused: RefusedConnection) -> None:
        self._refused = True
        self._log(ErrorCode.INVALID_REQUEST, refused.status)
        self._received.clear()
        self._hold(0)
        self._open.waits(self)
        begun = self.cycle is not None and self.cycle.response_started
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._client.end()
        if not begun and not self.transport.is_closing():
            self.transport.write(refused.answer())
        if begun or not self.transport.can_write_eof():
            self.transport.close()
            return
        # Closed at once, the connection would be reset where the client is still sending, and the answer lost.
        self.flow.resume_reading()
        self.transport.write_eof()
        self._head_by = self.loop.time() + _LINGER_SECONDS

    def _log(self, code: ErrorCode, status: HTTPStatus) -> None:
        if self._open.refused is not None:
            self._open.refused.log(source_of_connection(self.client, self.transport), code, status)


class _TooLong(RefusedConnection):
    def __init__(self, message: str) -> None:
        super().__init__(message, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
