"""A caller's connection, and the connection to grpcio's server by which what it sends goes on."""

import asyncio
import math
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, cast

from semsim.exceptions import InvalidRequest
from semsim_service.access.certificates import certificate_name
from semsim_service.core.call import Source
from semsim_service.grpc_transport.gate.early_refusals import EarlyRefusals, FullQueue
from semsim_service.grpc_transport.gate.frame_bounds import CallerFrames, OpeningBytes
from semsim_service.grpc_transport.gate.frame_heads import FrameKind, write_frame
from semsim_service.grpc_transport.gate.reset_pace import ResetPace

OPEN: dict[str, "CallerConnection"] = {}
"""The connections of this process by the names that grpcio knows them by, as ``context.peer()`` gives them.

They are open, or ended a moment ago: their last calls may still be handed over, and the logs tell whose they were.
"""

_OPENING_SECONDS = 10.0
_LAST_SECONDS = 10.0
_KNOWN_SECONDS = 1.0


class _Hold(Enum):
    """A reason to read nothing from a caller for a while."""

    ANSWERS_UNREAD = auto()
    SERVER_BUSY = auto()
    PACE = auto()
    CALLS_OPEN = auto()
    STOPPING = auto()


_GO_AWAY = write_frame(FrameKind.GOAWAY, 0, 0, (2**31 - 1).to_bytes(4) + bytes(4))
"""The frame by which a server begins to stop without an error (RFC 9113, section 6.8): no stream was left out yet."""
_WAITING = {_Hold.PACE, _Hold.CALLS_OPEN}
"""The reasons for which what was read waits, too."""


class CallerConnection(asyncio.Protocol):
    """A caller's side of a connection. What the caller sends is read as fast as the caller reads the answers.

    Args:
        name: the name by which grpcio knows the connection.
        turns: the turns of all connections.
        queue: refuses calls while it is full.
        closed: called once, after the connection has ended, with the reason for which it was cut or None.
    """

    def __init__(
        self, name: str, turns: ResetPace, queue: FullQueue, closed: Callable[[InvalidRequest | None], None]
    ) -> None:
        self.peer: str | None = None
        """The caller's address and port."""
        self.certificate: str | None = None
        """The name in the caller's certificate."""
        self.received = 0
        """The bytes that came from the caller so far, TLS apart."""
        self.server = ServerConnection(self)
        """The other side."""
        self._name = name
        self._opening: OpeningBytes | None = OpeningBytes()
        self._refusals = EarlyRefusals(queue, lambda method: Source(self.peer, self.certificate, method))
        self._extra = b""
        self._frames = CallerFrames(turns)
        self._closed = closed
        self._cause: InvalidRequest | None = None
        self._transport: asyncio.Transport | None = None
        self._holds: set[_Hold] = set()
        self._waiting = b""
        self._early = b""
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._loop = asyncio.get_running_loop()
        self._patience = self._loop.call_later(_OPENING_SECONDS, self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to pass bytes. The server's side is there."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = _address(transport.get_extra_info("peername"))
        self.certificate = certificate_name(transport.get_extra_info("peercert"))
        OPEN[self._name] = self
        early, self._early = self._early, b""
        self.answer(early)

    def data_received(self, data: bytes) -> None:
        """Pass what the caller sends, as far as it is bounded."""
        self.received += len(data)
        try:
            if self._opening is not None:
                data = self._open(self._opening, data)
            size = len(data)
            data, refused = self._refusals.take(data, None if self._waiting else self._frames.left)
            self.received -= size - len(data)  # a part of a head waits, and refused messages do not count
            if refused:
                self._extra += refused
                self._send_extra()
            self._pass(data)
        except InvalidRequest as cause:
            self._cause = cause
            self.abort()

    def answer(self, data: bytes) -> None:
        """Pass what the server sends."""
        if self._transport is None:  # the server says its settings while the caller's TLS begins
            self._early += data
            return
        self._wait(self._frames.take_answer(data, self._loop.time()))
        self._transport.write(data)
        self._send_extra()
        if _Hold.CALLS_OPEN in self._holds and self._frames.has_room:
            self._holds.discard(_Hold.CALLS_OPEN)
            self._pass_waiting()

    def pause_writing(self) -> None:
        """Read nothing from the caller nor from the server while the caller reads no answers."""
        self.server.pause()
        self._hold(_Hold.ANSWERS_UNREAD)

    def resume_writing(self) -> None:
        """Go on: the caller reads."""
        self.server.resume()
        self._release(_Hold.ANSWERS_UNREAD)

    def server_full(self, full: bool) -> None:
        """Read nothing from the caller while the server takes nothing."""
        (self._hold if full else self._release)(_Hold.SERVER_BUSY)

    def ask_to_leave(self) -> None:
        """Ask the caller to send what it has not begun elsewhere. What it sends all the same goes on."""
        if self._opening is None and self._transport is not None and not self._transport.is_closing():
            self._extra += _GO_AWAY
            self._send_extra()

    def stop_reading(self) -> None:
        """Read nothing more from the caller. Answers go on."""
        self._hold(_Hold.STOPPING)

    def connection_lost(self, _: Exception | None) -> None:
        """End the server's side."""
        self._patience.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._opening, self._waiting = None, b""
        self._loop.call_later(_KNOWN_SECONDS, self._forget)
        self.server.close()
        self._closed(self._cause)

    def close(self) -> None:
        """End the connection once the caller has read what is on its way, or has had the time for it."""
        if self._transport is not None and not self._transport.is_closing():
            self._patience.cancel()
            self._transport.close()
            self._patience = self._loop.call_later(_LAST_SECONDS, self.abort)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _forget(self) -> None:
        if OPEN.get(self._name) is self:  # the system may have given its name to another one
            del OPEN[self._name]

    def _open(self, opening: OpeningBytes, data: bytes) -> bytes:
        """Pass the caller's first bytes. Returns those behind its acknowledgement of the settings, once it is there."""
        at_once, behind = opening.take(data)
        self.server.write(at_once)
        if behind is None:
            return b""
        self._opening = None
        self._patience.cancel()
        return behind

    def _send_extra(self) -> None:
        """Send the gate's own frames, such as the answers to refused calls, between two frames of the server."""
        if self._extra and self._transport is not None and self._frames.answers_end:
            self._transport.write(self._extra)
            self._extra = b""

    def _pass(self, data: bytes) -> None:
        if not self._holds.isdisjoint(_WAITING):  # TLS may have had it before reading stopped
            self._waiting += data
            return
        size, seconds = self._frames.take(data, self._loop.time())
        self.server.write(data if size == len(data) else data[:size])
        self._waiting = data[size:]
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if seconds == math.inf:
            self._hold(_Hold.CALLS_OPEN)
        elif seconds:
            self._until = max(self._until, self._loop.time() + seconds)
            self._hold(_Hold.PACE)
            if self._timer is None:
                self._timer = self._loop.call_at(self._until, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._go_on)
            return
        self._holds.discard(_Hold.PACE)
        self._pass_waiting()

    def _pass_waiting(self) -> None:
        data, self._waiting = self._waiting, b""
        try:
            self._pass(data)
        except InvalidRequest as cause:
            self._cause = cause
            self.abort()
        self._read_or_not()

    def _hold(self, reason: _Hold) -> None:
        self._holds.add(reason)
        self._read_or_not()

    def _release(self, reason: _Hold) -> None:
        self._holds.discard(reason)
        self._read_or_not()

    def _read_or_not(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._holds and transport.is_reading():
            transport.pause_reading()
        elif not self._holds and not transport.is_reading():
            transport.resume_reading()


class ServerConnection(asyncio.Protocol):
    """The server's side of a caller's connection."""

    def __init__(self, caller: CallerConnection) -> None:
        self._caller = caller
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass what the server sends."""
        self._caller.answer(data)

    def pause_writing(self) -> None:
        """Tell the caller's side that the server takes nothing."""
        self._caller.server_full(True)

    def resume_writing(self) -> None:
        """Tell the caller's side that the server goes on."""
        self._caller.server_full(False)

    def connection_lost(self, _: Exception | None) -> None:
        """End the caller's side: the server has closed the connection."""
        self._caller.close()

    def write(self, data: bytes) -> None:
        """Send to the server."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """Read nothing from the server."""
        if self._transport is not None and not self._transport.is_closing() and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the server."""
        if self._transport is not None and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection. What the caller has sent goes no further: nobody waits for the answer."""
        if self._transport is not None:
            self._transport.abort()


def _address(name: Any) -> str | None:
    """An address and a port as the log has them: ``1.2.3.4:5``, ``[::1]:5``."""
    if not isinstance(name, tuple):
        return None
    host = str(name[0]).removeprefix("::ffff:")
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"
