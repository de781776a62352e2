"""The way of a client's requests to the service."""

from typing import Protocol

from semsim.client.chunks import Chunk
from semsim.client.service_model import ServiceModel
from semsim.pairs import PairFailure
from semsim.scorer import PairScore


class Sender(Protocol):
    """Sends requests, and sends them again for as long as the connection's patience lasts."""

    async def ask_model(self) -> ServiceModel:
        """The service's model and limits.

        Raises:
            ServiceUnreachable: there was no whole answer within the patience.
            RequestError: the service refuses the request; the subclass says why.
            InvalidAnswer: something that is no SemSim service answered.
        """

    async def score(self, chunk: Chunk, model: ServiceModel) -> list[PairScore | PairFailure]:
        """The outcomes of a chunk's pairs, of which there is at least one, in their order.

        Raises:
            BodyTooLarge: the request is over the service's limit.
            ServiceUnreachable: there was no whole answer within the patience.
            RequestError: the service refuses the request; the subclass says why.
            InvalidAnswer: an answer is of other pairs or from another model.
        """

    async def close(self) -> None:
        """Close the connections."""
