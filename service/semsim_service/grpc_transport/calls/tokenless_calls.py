"""Calls that need no token: health, reflection and the probes. Anybody makes them, so that they get little room.

gRPC has one limit for the messages of all methods, that of the largest, and hands over a message once it is whole. So a
message that is not here at once is watched while it comes: by the bytes that its connection has received meanwhile. It
takes the room of these until it is whole, and where all of them together have no room, the largest connection's are
refused. A message of the right size is there within a millisecond, and is never watched. Nor is one that waits behind
the large messages of a caller with a token, over the same connection.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from semsim.exceptions import BodyTooLarge, InvalidRequest, Overloaded, RequestError, RequestTimeout
from semsim_service.grpc_transport.calls.caller import Context, Handler, read_caller
from semsim_service.grpc_transport.calls.context import read_message, refuse
from semsim_service.grpc_transport.calls.known_messages import KnownMessages
from semsim_service.grpc_transport.gate.caller_connection import OPEN, CallerConnection

MOST_BYTES = 64 * 2**10
"""The most bytes of a message."""
MOST_CALLS = 256
"""The most calls of a worker that stay open: watches of its health, reflection, and those whose message is to come."""
TOGETHER_BYTES = 8 * 2**20
"""The most bytes of all messages together that are not whole."""
SECONDS = 10.0
"""The longest time that a message may take."""

_AT_ONCE_SECONDS = 0.005
_LOOK_SECONDS = 0.002


@dataclass(eq=False, slots=True)
class _Coming:
    """The messages that come over one connection, and the bytes that it had received when the first of them began."""

    connection: CallerConnection
    before: int
    refused: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    reads: int = 0
    known: bool = False
    """True where a caller with a token sends over it, too. Whose bytes they are then, nothing tells."""

    def size(self) -> int:
        return 0 if self.known else self.connection.received - self.before


class Strangers:
    """The calls of strangers that are open. Belongs to one event loop.

    Args:
        most_known: the most bytes, not whole, of all messages together of callers who are none.
    """

    def __init__(self, most_known: int) -> None:
        self._known_messages = KnownMessages(most_known)
        self._calls = 0
        self._coming: dict[str, _Coming] = {}
        self._known = Counter[str]()
        self._watch: asyncio.Task[None] | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """A block in which one more call stays open. A call that is answered at once needs none.

        Raises:
            Overloaded: too many are open.
        """
        if self._calls >= MOST_CALLS:
            raise Overloaded(f"expected at most {MOST_CALLS} open calls without a token, got more", 1)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def read(self, context: Context) -> bytes | None:
        """The call's next message, or None where there is none.

        Raises:
            BodyTooLarge: the message is over the limit, or takes room that others need.
            RequestTimeout: the message took too long.
        """
        reading = asyncio.ensure_future(read_message(context))
        try:
            await asyncio.wait((reading,), timeout=_AT_ONCE_SECONDS)
            if not reading.done():
                with self.open():
                    await self._watched(context.peer(), reading)
            if not reading.done():
                raise RequestTimeout(f"expected a whole message within {SECONDS:g} seconds, got none")
            message = reading.result()
        finally:
            reading.cancel()
        if message is not None and len(message) > MOST_BYTES:
            raise _too_large(str(len(message)))
        return message

    async def read_known(self, context: Context) -> bytes | None:
        """The next message of a caller who has the token, or needs none, and may send as much as the service takes.

        Raises:
            Overloaded: see :meth:`KnownMessages.read`.
        """
        peer = context.peer()
        self._known[peer] += 1
        if (coming := self._coming.get(peer)) is not None:
            coming.known = True
        try:
            return await self._known_messages.read(context, peer)
        finally:
            self._known[peer] -= 1
            if self._known[peer] == 0:
                del self._known[peer]

    async def _watched(self, peer: str, reading: "asyncio.Future[bytes | None]") -> None:
        """Wait for a message that comes slowly."""
        coming = self._coming.get(peer)
        if coming is None:
            connection = OPEN.get(peer)
            if connection is None:  # it is gone
                return
            coming = self._coming[peer] = _Coming(connection, connection.received)
            coming.known = peer in self._known
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_room())
        coming.reads += 1
        try:
            await asyncio.wait((reading, coming.refused), timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if coming.refused.done():
                raise _too_large("more")
        finally:
            coming.reads -= 1
            if coming.reads == 0:
                del self._coming[peer]

    async def _keep_room(self) -> None:
        """Refuse the messages of the largest connection while there is no room for all, until none is coming."""
        while self._coming:
            sizes = {coming: coming.size() for coming in self._coming.values() if not coming.refused.done()}
            while sum(sizes.values()) > TOGETHER_BYTES:
                largest = max(sizes, key=sizes.__getitem__)
                largest.refused.set_result(None)
                del sizes[largest]
            await asyncio.sleep(_LOOK_SECONDS)
        self._watch = None


def _too_large(got: str) -> BodyTooLarge:
    return BodyTooLarge(f"expected a message of at most {MOST_BYTES} bytes to this method, got {got}")


def answering_strangers(strangers: Strangers, answer: Callable[[bytes], bytes]) -> Handler:
    """The handler of a method that needs no token. ``answer`` makes its one answer of its one message.

    gRPC takes it for the handler of a stream. So the handler reads the message itself.
    """

    async def handle(_: object, context: Context) -> bytes:
        try:
            message = await strangers.read(context)
            if message is None:
                raise InvalidRequest("expected a message, got none that could be received")
            return answer(message)
        except RequestError as error:
            return await refuse(context, read_caller(context), error)

    return grpc.stream_unary_rpc_method_handler(handle)
