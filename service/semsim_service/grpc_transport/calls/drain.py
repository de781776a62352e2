"""Counts the answers in progress, so that a stop waits for them, and not for streams on which nothing happens."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from semsim.exceptions import NotReady

_QUIET_SECONDS = 0.05
_LONGEST_REFUSING = 1.0


class Drain:
    """Counts answers in progress. Belongs to one event loop."""

    def __init__(self) -> None:
        self._answers = 0
        self._begun = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._streams: set[Callable[[], object]] = set()
        self._closing = False

    def begin(self) -> None:
        """Count one more answer in progress."""
        self._answers += 1
        self._begun += 1
        self._idle.clear()

    def end(self, _: object = None) -> None:
        """Count one answer less: it was sent, or nobody waits for it any more."""
        self._answers -= 1
        if self._answers == 0:
            self._idle.set()

    @property
    def is_open(self) -> bool:
        """True until the stop begins."""
        return not self._closing

    def check_open(self) -> None:
        """Refuse a request that comes after the stop has begun.

        Raises:
            NotReady: the stop has begun. Another replica, or the next server here, may answer.
        """
        if self._closing:
            raise NotReady("expected a service that goes on, got one that is stopping")

    @contextmanager
    def open_stream(self, end: Callable[[], object]) -> Iterator[None]:
        """A block in which a stop calls ``end``, by which a stream takes nothing more."""
        self._streams.add(end)
        try:
            yield
        finally:
            self._streams.discard(end)

    async def close(self) -> None:
        """Take nothing more, end the streams, and wait until the last answer and the last refusal are sent."""
        self._closing = True
        for end in tuple(self._streams):
            end()
        await self._idle.wait()
        # gRPC hands over the calls that it has taken one by one. Clients that never stop asking are not waited for.
        deadline = asyncio.get_running_loop().time() + _LONGEST_REFUSING
        begun = -1
        while begun != self._begun and asyncio.get_running_loop().time() < deadline:
            begun = self._begun
            await asyncio.sleep(_QUIET_SECONDS)
            await self._idle.wait()
