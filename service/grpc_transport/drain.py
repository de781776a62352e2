"""What is in progress, so that a stop waits for answers, and not for streams on which nothing happens."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Drain:
    """Counts answers in progress. Belongs to one event loop."""

    def __init__(self) -> None:
        self._answers = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._streams: set[Callable[[], object]] = set()

    def begin(self) -> None:
        """One more answer is in progress."""
        self._answers += 1
        self._idle.clear()

    def end(self, _: object = None) -> None:
        """It was sent, or nobody waits for it any more."""
        self._answers -= 1
        if self._answers == 0:
            self._idle.set()

    @contextmanager
    def open_stream(self, end: Callable[[], object]) -> Iterator[None]:
        """Within it, a stop calls ``end``, which lets a stream take nothing more."""
        self._streams.add(end)
        try:
            yield
        finally:
            self._streams.discard(end)

    async def close(self) -> None:
        """End the streams, and wait until the last answer is sent."""
        for end in tuple(self._streams):
            end()
        await self._idle.wait()
