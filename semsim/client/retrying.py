"""Requests that are tried again: when the service is away, when it is overloaded, and when it is not ready.

Scoring changes nothing in the service: a request whose answer was lost can be sent again.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from semsim.exceptions import SemSimError, ServiceUnreachable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_HELLO = 3.0
"""The seconds after which the first contact is given up where nobody listens: the address may be wrong."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Setback:
    """An attempt without an answer of use. It is returned, not raised: an error's frames would hold the images."""

    error: SemSimError
    is_passing: bool = True
    """True where another attempt may have an answer."""
    wait: float | None = None
    """The seconds that the service asks to wait; None where it does not say."""


class Patience:
    """Tries requests of one client again, for as long as its connection's patience lasts.

    Args:
        seconds: the patience.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_answered = False

    async def answer(self, attempt: Callable[[], Awaitable[_Answer | Setback]]) -> _Answer:
        """The answer of the first attempt that has one.

        Raises:
            ServiceUnreachable: there was no whole answer within the patience.
            SemSimError: the service refuses the request; the subclass says why.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            outcome = await attempt()
            if not isinstance(outcome, Setback):
                self._has_answered = True
                return outcome
            self._has_answered |= not isinstance(outcome.error, ServiceUnreachable)
            # The jitter keeps clients that were refused together from coming again together.
            jitter = random.random()  # noqa: S311
            delay = pause * (1 + jitter) / 2 if outcome.wait is None else outcome.wait + jitter * _FIRST_PAUSE
            if not outcome.is_passing or time.monotonic() - began + delay > self._patience(outcome.error):
                raise outcome.error
            await asyncio.sleep(delay)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _patience(self, error: SemSimError) -> float:
        if self._has_answered:
            return self._seconds
        return 0.0 if _UNTRUSTED in str(error) else min(self._seconds, _HELLO)


def unreachable(url: str, reason: str) -> Setback:
    """The setback of an attempt that had no answer."""
    return Setback(ServiceUnreachable(f"expected an answer of a service at {url}, got {reason}"))
