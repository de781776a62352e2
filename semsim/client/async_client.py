"""The client for programs that run an event loop."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Self, Unpack

from semsim.client.answers import read_answer
from semsim.client.chunks import Chunk, cut
from semsim.client.connection import Connection, ConnectionOptions
from semsim.client.payloads import payload_of
from semsim.client.refusals import error_of
from semsim.client.retrying import Sender
from semsim.client.service_model import ServiceModel, read_service_model
from semsim.exceptions import BodyTooLarge, InvalidPair, RequestTimeout, ServiceFault, TooManyPairs
from semsim.images import DecodeLimits
from semsim.images.limits import DEFAULT_LIMITS
from semsim.pairs import PairFailure
from semsim.scorer import PairScore

_HALVED = (BodyTooLarge, TooManyPairs, ServiceFault, RequestTimeout)
"""The refusals that may be of one pair only, or of too many: the halves of the request are tried."""

_Outcomes = dict[int, PairScore | PairFailure]


class AsyncClient:
    """Scores pairs with a service, as :class:`semsim.scorer.Scorer` scores them here.

    An image is a path, encoded bytes (PNG, JPEG, WebP), an image of Pillow, a uint8 array ``(H, W[, C])`` or a uint8
    tensor of torch, ``(C, H, W)`` or ``(H, W, C)``. No image is logged or kept.

    Args:
        url: the service's address.
        controls: False where it is not asked whether a reconstruction is identified.
        options: those of :class:`semsim.client.connection.Connection`.

    Raises:
        InvalidOption: the address, a certificate or another option cannot be used.
    """

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        self._controls = controls
        self.connection = Connection(url, **options)
        self._sender = Sender(self.connection)
        self._model: ServiceModel | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()

    async def model(self) -> ServiceModel:
        """The service's model and limits, asked for once: all scores of this client come from this model.

        Raises:
            ServiceUnreachable: no answer came.
            RequestError: the service refuses the request, such as for the token.
            InvalidAnswer: something that is no SemSim service answered.
        """
        if self._model is None:
            self._model = read_service_model(await self._sender.send("GET", "/model"))
        return self._model

    async def score(self, original: Any, reconstruction: Any, *, deadline: float | None = None) -> PairScore:
        """Score one pair.

        Raises:
            InvalidImage: one of the two images cannot be scored.
            InvalidPair: the reconstruction is not laid out as its original.
            SemSimError: all that :meth:`score_pairs` raises.
        """
        (outcome,) = await self.score_pairs([(original, reconstruction)], deadline=deadline)
        if isinstance(outcome, PairFailure):
            raise error_of(outcome)
        return outcome

    async def score_pairs(
        self, pairs: Iterable[tuple[Any, Any]], *, limits: DecodeLimits = DEFAULT_LIMITS, deadline: float | None = None
    ) -> list[PairScore | PairFailure]:
        """Score many pairs; what is no pair, or cannot be scored, fails alone, at its own index.

        Args:
            pairs: (original, reconstruction) pairs, of any number.
            limits: the limits of one image, where they are lower than the service's.
            deadline: the seconds that all requests and their repetitions may take together; None = no limit.

        Raises:
            InvalidPair: ``pairs`` is no sequence of pairs.
            ServiceUnreachable: the service is away for longer than the connection's patience.
            RequestTimeout: the deadline passed, or the service has no answer in time for a single pair.
            RequestError: the service refuses requests, such as for the token or its load.
            InvalidAnswer: an answer is of other pairs or from another model.
        """
        if isinstance(pairs, str | bytes | bytearray | memoryview) or not isinstance(pairs, Iterable):
            raise InvalidPair(f"expected a sequence of (original, reconstruction) pairs, got {type(pairs).__name__}")
        outcomes: _Outcomes = {}
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(deadline):
                model = await self.model()
                await self._score_all(cut(pairs, model.limits, model.limits.decode(limits)), model, outcomes)
        except TimeoutError:
            failure = RequestTimeout(f"expected the scores of all pairs within {deadline} s, got a part of them")
        except BaseExceptionGroup as group:  # the tasks' own errors; the first one says what is wrong
            failure = group.exceptions[0]
        if failure is not None:  # without the frames of the tasks, which hold images
            raise failure.with_traceback(None)
        return [outcomes[index] for index in range(len(outcomes))]

    async def _score_all(self, chunks: Iterator[Chunk], model: ServiceModel, outcomes: _Outcomes) -> None:
        """Send the chunks, several at once; the next one is loaded while they are under way."""
        slots = asyncio.Semaphore(self.connection.concurrency)

        async def score(chunk: Chunk) -> None:
            try:
                await self._score_chunk(chunk, model, outcomes)
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                chunk = await asyncio.to_thread(next, chunks, None)
                if chunk is None:
                    break
                group.create_task(score(chunk))

    async def _score_chunk(self, chunk: Chunk, model: ServiceModel, outcomes: _Outcomes) -> None:
        outcomes |= chunk.failures
        if not chunk.pairs:
            return
        try:
            results = await self._request(chunk, model)
        except _HALVED as error:
            if len(chunk.pairs) > 1:
                for half in chunk.halves():
                    await self._score_chunk(half, model, outcomes)
                return
            if isinstance(error, RequestTimeout):
                raise
            results = [PairFailure(error.code, str(error))]
        for pair, result in zip(chunk.pairs, results, strict=True):
            outcomes[pair.index] = result

    async def _request(self, chunk: Chunk, model: ServiceModel) -> list[PairScore | PairFailure]:
        payload = payload_of(chunk, controls=self._controls)
        if len(payload.body) > model.limits.body_bytes:
            raise BodyTooLarge(f"expected at most {model.limits.body_bytes} bytes a request, got {len(payload.body)}")
        body = await self._sender.send("POST", "/score", payload.body, payload.headers)
        return read_answer(body, payload.ids, model)
