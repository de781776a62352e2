"""The clients for programs without an event loop: their own loop runs in a thread."""

import asyncio
from collections.abc import Coroutine, Iterable
from threading import Thread
from typing import Any, Self, TypeVar, Unpack

from semsim.client.async_client import AsyncClient, AsyncGrpcClient
from semsim.client.connection import ConnectionOptions
from semsim.client.pair_client import PairClient
from semsim.client.service_model import ServiceModel
from semsim.exceptions import InvalidOption
from semsim.images import DecodeLimits
from semsim.images.limits import DEFAULT_LIMITS
from semsim.pairs import PairFailure
from semsim.progress import Progress, silent
from semsim.scorer import PairScore

_Result = TypeVar("_Result")


class _ThreadedClient:
    """A :class:`PairClient` without ``await``. Threads may share it, processes may not."""

    def __init__(self, client: PairClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="semsim-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End calls of other threads, the connections and the thread. A closed client can be closed again."""
        if self._loop.is_closed():
            return
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def model(self) -> ServiceModel:
        """The service's model and limits, as :meth:`PairClient.model` gives them."""
        return self._run(self._client.model())

    def score(self, original: Any, reconstruction: Any, *, deadline: float | None = None) -> PairScore:
        """Score one pair, as :meth:`PairClient.score` does."""
        return self._run(self._client.score(original, reconstruction, deadline=deadline))

    def score_pairs(
        self,
        pairs: Iterable[tuple[Any, Any]],
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        deadline: float | None = None,
        progress: Progress = silent,
    ) -> list[PairScore | PairFailure]:
        """Score many pairs, as :meth:`PairClient.score_pairs` does; ``progress`` is called in another thread."""
        return self._run(self._client.score_pairs(pairs, limits=limits, deadline=deadline, progress=progress))

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()
        await self._loop.shutdown_default_executor()

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        if self._loop.is_closed():
            work.close()
            raise InvalidOption("expected an open client, got one that is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # an interruption ends the wait, and must end the work
            future.cancel()
            raise


class Client(_ThreadedClient):
    """Scores pairs with a service: :class:`AsyncClient` without ``await``. Threads may share it, processes may not.

    Close it, or use it in a ``with`` block.
    """

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        super().__init__(AsyncClient(url, controls=controls, **options))


class GrpcClient(_ThreadedClient):
    """Scores pairs over gRPC: :class:`AsyncGrpcClient` without ``await``. Threads may share it, processes may not.

    Close it, or use it in a ``with`` block.
    """

    def __init__(self, url: str, *, controls: bool = True, **options: Unpack[ConnectionOptions]) -> None:
        super().__init__(AsyncGrpcClient(url, controls=controls, **options))
