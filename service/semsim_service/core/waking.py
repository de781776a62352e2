"""Futures of callers in an event loop, of which another thread knows the outcome."""

import asyncio
from collections.abc import Sequence

Waiting = Sequence["asyncio.Future[None]"]


def wake(futures: Waiting, error: Exception | None) -> None:
    """Let callers of one event loop go on, or fail with the error. Any thread may call this."""
    try:
        futures[0].get_loop().call_soon_threadsafe(_settle, futures, error)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _settle(futures: Waiting, error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
