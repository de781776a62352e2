"""Requests that are tried again: when the service is away, when it is overloaded, and when it is not ready.

Scoring changes nothing in the service: a request whose answer was lost can be sent again.
"""

import asyncio
import random
import time
from collections.abc import Mapping

import httpx

from semsim.client.connection import Connection
from semsim.client.refusals import refusal_of, retry_after
from semsim.exceptions import SemSimError, ServiceUnreachable

_AGAIN = frozenset({429, 502, 503})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_HELLO = 3.0
"""The seconds after which the first contact is given up where nobody listens: the address may be wrong."""


class Sender:
    """Sends requests over kept connections, and sends them again for as long as the connection's patience lasts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = connection.open()
        self._has_answered = False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of the successful answer.

        Raises:
            ServiceUnreachable: there was no whole answer within the connection's patience.
            RequestError: the service refuses the request; the subclass says why.
            InvalidAnswer: something that is no SemSim service answered.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            # Not raised where it is caught: the error of httpx holds the request, and with it the images.
            error, wait = None, None
            try:
                response = await self._http.request(method, path, content=content, headers=headers)
            except httpx.RequestError as broken:
                error = _unreachable(self._connection.url, broken)
                patience = self._connection.patience
                if not self._has_answered:
                    patience = 0.0 if "CERTIFICATE_VERIFY_FAILED" in str(broken) else min(patience, _HELLO)
            else:
                self._has_answered = True
                patience = self._connection.patience
                if response.status_code == httpx.codes.OK:
                    return response.content
                error, wait = refusal_of(response), retry_after(response)
                if response.status_code not in _AGAIN:
                    raise error
            # The jitter keeps clients that were refused together from coming again together.
            delay = pause * random.uniform(0.5, 1.0) if wait is None else wait + random.uniform(0.0, _FIRST_PAUSE)  # noqa: S311
            if time.monotonic() - began + delay > patience:
                raise error
            await asyncio.sleep(delay)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _unreachable(url: str, error: httpx.RequestError) -> SemSimError:
    reason = str(error) or type(error).__name__
    return ServiceUnreachable(f"expected an answer of a service at {url}, got {reason}")
