"""What is in progress, so that a stop waits for answers, and not for streams on which nothing happens."""

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
        """One more answer is in progress."""
        self._answers += 1
        self._begun += 1
        self._idle.clear()

    def end(self, _: object = None) -> None:
        """It was sent, or nobody waits for it any more."""
        self._answers -= 1
        if self._answers == 0:
            self._idle.set()

    @property
    def is_open(self) -> bool:
        """Whether the stop has not begun."""
        return not self._closing

    def check_open(self) -> None:
        """Refuse what comes after the stop has begun.

        Raises:
            NotReady: it has; another replica, or the next one here, may answer.
        """
        if self._closing:
            raise NotReady("expected a service that goes on, got one that is stopping")

    @contextmanager
    def open_stream(self, end: Callable[[], object]) -> Iterator[None]:
        """Within it, a stop calls ``end``, which lets a stream take nothing more."""
        self._streams.add(end)
        try:
            yield
        finally:
            self._streams.discard(end)

    async def close(self) -> None:
        """Take nothing more, end the streams, and wait until the last answer is sent and the last refusal told."""
        self._closing = True
        for end in tuple(self._streams):
            end()
        await self._idle.wait()
        # gRPC hands over what it has taken one call after another; clients that ask on and on are not waited for.
        deadline = asyncio.get_running_loop().time() + _LONGEST_REFUSING
        begun = -1
        while begun != self._begun and asyncio.get_running_loop().time() < deadline:
            begun = self._begun
            await asyncio.sleep(_QUIET_SECONDS)
            await self._idle.wait()
