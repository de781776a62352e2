"""Requests over HTTP."""

from collections.abc import Mapping

import httpx

from semsim.client.answers import read_answer
from semsim.client.chunks import Chunk
from semsim.client.connection import Connection
from semsim.client.payloads import payload_of
from semsim.client.refusals import refusal_of, retry_after
from semsim.client.retrying import Patience, Setback, unreachable
from semsim.client.service_model import ServiceModel, read_service_model
from semsim.exceptions import BodyTooLarge
from semsim.pairs import PairFailure
from semsim.scorer import PairScore

_PASSING = frozenset({429, 502, 503})


class HttpSender:
    """Sends requests over kept connections; a :class:`semsim.client.sender.Sender`.

    Args:
        connection: the way to the service.
        controls: False where it is not asked whether a reconstruction is identified.

    Raises:
        InvalidOption: a certificate cannot be read.
    """

    def __init__(self, connection: Connection, *, controls: bool) -> None:
        self._connection = connection
        self._controls = controls
        self._http = connection.open()
        self._patience = Patience(connection.patience)

    async def ask_model(self) -> ServiceModel:
        """The service's model and limits."""
        return read_service_model(await self._send("GET", "/model"))

    async def score(self, chunk: Chunk, model: ServiceModel) -> list[PairScore | PairFailure]:
        """The outcomes of a chunk's pairs, in their order."""
        payload = payload_of(chunk, controls=self._controls)
        if len(payload.body) > model.limits.body_bytes:
            raise BodyTooLarge(f"expected at most {model.limits.body_bytes} bytes a request, got {len(payload.body)}")
        return read_answer(await self._send("POST", "/score", payload.body, payload.headers), payload.ids, model)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        async def attempt() -> bytes | Setback:
            try:
                response = await self._http.request(method, path, content=content, headers=headers)
            except httpx.RequestError as broken:
                return unreachable(self._connection.url, str(broken) or type(broken).__name__)
            if response.status_code == httpx.codes.OK:
                return response.content
            return Setback(refusal_of(response), response.status_code in _PASSING, retry_after(response))

        return await self._patience.answer(attempt)
