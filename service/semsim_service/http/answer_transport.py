"""The transport of a connection as its answers see it."""

import asyncio
import weakref
from collections.abc import Callable


class AnswerTransport(asyncio.Transport):
    """Sends the head of an answer together with its body, where the body follows at once.

    Sent apart, each of the two would take a call of the system, and wake the client.

    Args:
        transport: the connection's own transport.
        end: a method of the connection, which ends it behind the answer.
    """

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        # The connection holds its answer. Held in turn, both would stay in memory, with the request, until they are
        # searched.
        self._end = weakref.WeakMethod(end)
        self._held = b""
        self._sending: asyncio.Handle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a part of an answer, at the latest when the event loop goes on."""
        self._held += data
        if self._sending is None:
            self._sending = asyncio.get_running_loop().call_soon(self.flush)
        else:
            self.flush()

    def is_closing(self) -> bool:
        """True where nothing more is sent."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close behind the answer."""
        self.flush()
        if (end := self._end()) is None:
            self._transport.close()
        else:
            end()

    def flush(self) -> None:
        """Send what is held."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)
