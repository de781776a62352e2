"""The scoring of pairs with a service, over whatever way its requests go."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Self

from semsim.client.chunks import Chunk, cut
from semsim.client.connection import Connection
from semsim.client.refusals import error_of
from semsim.client.sender import Sender
from semsim.client.service_model import ServiceModel
from semsim.exceptions import BodyTooLarge, InvalidPair, RequestTimeout, ServiceFault, TooManyPairs
from semsim.images import DecodeLimits
from semsim.images.limits import DEFAULT_LIMITS
from semsim.pairs import PairFailure
from semsim.progress import Progress, silent
from semsim.scorer import PairScore

_HALVED = (BodyTooLarge, TooManyPairs, ServiceFault, RequestTimeout)
"""The refusals that may be of one pair only, or of too many: the halves of the request are tried."""

_Outcomes = dict[int, PairScore | PairFailure]


class PairClient:
    """Scores pairs with a service, as :class:`semsim.scorer.Scorer` scores them here.

    An image is a path, encoded bytes (PNG, JPEG, WebP), an image of Pillow, a uint8 array ``(H, W[, C])`` or a uint8
    tensor of torch, ``(C, H, W)`` or ``(H, W, C)``. No image is logged or kept.

    Args:
        connection: the way to the service.
        sender: what sends the requests there.
    """

    def __init__(self, connection: Connection, sender: Sender) -> None:
        self.connection = connection
        self._sender = sender
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
            self._model = await self._sender.ask_model()
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
        self,
        pairs: Iterable[tuple[Any, Any]],
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        deadline: float | None = None,
        progress: Progress = silent,
    ) -> list[PairScore | PairFailure]:
        """Score many pairs; what is no pair, or cannot be scored, fails alone, at its own index.

        Args:
            pairs: (original, reconstruction) pairs, of any number.
            limits: the limits of one image, where they are lower than the service's.
            deadline: the seconds that all requests and their repetitions may take together; None = no limit.
            progress: told of the pairs that have an outcome after each request; of an iterator the total is not known,
                and is 0.

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
        total = len(pairs) if isinstance(pairs, Sized) else 0
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(deadline):
                model = await self.model()
                chunks = cut(pairs, model.limits, model.limits.decode(limits))
                await self._score_all(chunks, model, outcomes, lambda: progress("scoring", len(outcomes), total))
        except TimeoutError:
            failure = RequestTimeout(f"expected the scores of all pairs within {deadline} s, got a part of them")
        except BaseExceptionGroup as group:  # the tasks' own errors; the first one says what is wrong
            failure = group.exceptions[0]
        if failure is not None:  # without the frames of the tasks, which hold images
            raise failure.with_traceback(None)
        return [outcomes[index] for index in range(len(outcomes))]

    async def _score_all(
        self, chunks: Iterator[Chunk], model: ServiceModel, outcomes: _Outcomes, told: Callable[[], None]
    ) -> None:
        """Send the chunks, several at once; the next one is loaded while they are under way. ``told`` follows each."""
        slots = asyncio.Semaphore(self.connection.concurrency)

        async def score(chunk: Chunk) -> None:
            try:
                await self._score_chunk(chunk, model, outcomes)
                told()
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
            results = await self._sender.score(chunk, model)
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
