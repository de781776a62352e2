"""Messages on their way from callers who may send large ones. All together they have the room of the queue.

gRPC tells the size of a message once it is whole, and only then does it count in the queue. Until then the bytes that
its connection has received tell how much of it is held.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from semsim.exceptions import Overloaded
from semsim_service.grpc_transport.calls.caller import Context
from semsim_service.grpc_transport.calls.context import read_message
from semsim_service.grpc_transport.gate.caller_connection import OPEN, CallerConnection

_LOOK_SECONDS = 0.01
_RETRY_SECONDS = 1
# What stands around a message of some size on its connection: heads of frames, headers of its call.
_AROUND_SHARE = 0.01
_AROUND_BYTES = 512


@dataclass(eq=False, slots=True)
class _Arriving:
    """The messages that arrive over one connection, and the bytes that it had received before they did."""

    connection: CallerConnection
    before: int
    readers: set["asyncio.Task[Any]"] = field(default_factory=set)

    def size(self) -> int:
        return self.connection.received - self.before

    def whole(self, size: int) -> None:
        """Count a message no more, which is whole."""
        around = int(size * _AROUND_SHARE) + _AROUND_BYTES
        self.before = min(self.connection.received, self.before + size + around)


class KnownMessages:
    """Reads the messages. Belongs to one event loop.

    Args:
        most: the most bytes of all messages together that are not whole.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._arriving: dict[str, _Arriving] = {}
        self._refused: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def read(self, context: Context, peer: str) -> bytes | None:
        """The next message of a call from ``peer``, or None where there is none.

        Raises:
            Overloaded: all that are on their way have no room, and this connection has sent most of them.
        """
        connection, reader = OPEN.get(peer), asyncio.current_task()
        if connection is None or reader is None:  # it is gone
            return await read_message(context)
        arriving = self._arriving.get(peer)
        if arriving is None:
            arriving = self._arriving[peer] = _Arriving(connection, connection.received)
        arriving.readers.add(reader)
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_room())
        try:
            message = await read_message(context)
            arriving.whole(0 if message is None else len(message))
            return message
        except asyncio.CancelledError:
            if reader not in self._refused:
                raise
            reader.uncancel()
            raise Overloaded(
                f"expected room in a queue of {self._most} bytes for messages on their way, got none", _RETRY_SECONDS
            ) from None
        finally:
            self._refused.discard(reader)
            arriving.readers.discard(reader)
            if not arriving.readers:
                self._arriving.pop(peer, None)

    async def _keep_room(self) -> None:
        """Refuse the messages of the largest connection while there is no room for all, until none arrives."""
        while self._arriving:
            await asyncio.sleep(_LOOK_SECONDS)
            sizes = {arriving: arriving.size() for arriving in self._arriving.values()}
            while sum(sizes.values()) > self._most:
                largest = max(sizes, key=sizes.__getitem__)
                for reader in largest.readers - self._refused:
                    self._refused.add(reader)
                    reader.cancel()
                del sizes[largest]
        self._watch = None
