"""All open connections of a worker's HTTP: how many there may be, and how long each may keep it waiting."""

import asyncio
import logging
from typing import Protocol

from semsim_service.observing.refused_requests import RefusedRequests

logger = logging.getLogger("semsim.service")

_LOOK_SECONDS = 1.0
_TELL_SECONDS = 60.0
_HEALTH_SHARE = 16
"""One connection in so many is kept for health checks."""
HELD_BYTES = 2**23
"""The most bytes of all requests that wait, each behind another one of its connection."""


class TimedConnection(Protocol):
    """A connection that can be looked at and ended."""

    def look(self, now: float) -> None:
        """End it if it is late at ``now``, seconds of the event loop."""

    def abort(self) -> None:
        """End it at once."""


class OpenConnections:
    """The open connections of a worker.

    A connection waits while the service waits for it: for a request, for the end of a body that nobody wants. Where
    there are too many, the one that has waited longest gives way to a new one. So a client that sends its request gets
    an answer however many others hold connections open. Where none waits, a new one has a place for health checks.

    Args:
        most: the most connections, those for health checks included.
        refused: writes the lines of those whose bytes are no request that the service takes; None where none are asked.
    """

    def __init__(self, most: int, refused: RefusedRequests | None = None) -> None:
        self.most = most
        self.refused = refused
        self.shared = most - max(1, most // _HEALTH_SHARE)
        """The most connections that may ask for anything."""
        self.held_bytes = 0
        """The bytes of all requests that wait behind another one."""
        self._open: set[TimedConnection] = set()
        self._waiting: dict[TimedConnection, None] = {}
        self._told = float("-inf")
        self._looking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: TimedConnection, now: float) -> bool:
        """Take a new connection in. Returns True if it may ask for health checks only.

        It is ended at once where even these have no place.
        """
        if len(self._open) >= self.shared:
            self._tell(now)
            if self._waiting:
                self._end(next(iter(self._waiting)))
        if len(self._open) >= self.most:
            connection.abort()
            return True
        kept = len(self._open) >= self.shared
        self._open.add(connection)
        self._waiting[connection] = None
        self._look_later()
        return kept

    def forget(self, connection: TimedConnection) -> None:
        """Leave out a connection that is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: TimedConnection) -> None:
        """Note that the service waits for a connection from now on."""
        if connection in self._open:
            self._waiting[connection] = None

    def works(self, connection: TimedConnection) -> None:
        """Note that a connection waits for the service from now on."""
        self._waiting.pop(connection, None)

    def _end(self, connection: TimedConnection) -> None:
        self.forget(connection)
        connection.abort()

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Look at all connections, once a second while there are any."""
        self._looking = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.look(now)
        if self._open:
            self._look_later()

    def _tell(self, now: float) -> None:
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            logger.warning(
                "expected at most %d connections (http.connections), got more: the longest waiting ones are closed",
                self.shared,
            )
