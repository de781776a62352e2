"""The one batcher: it embeds the images of all requests together, each distinct image once.

Its thread takes the images that wait as soon as the network is free, up to the network's best batch. So nothing waits
for a batch to fill: a batch holds the images that came during the run before. The batcher counts images, not pairs,
because a run costs by its images: eight pairs of one original are nine images. Requests take turns: one that has more
images than a batch has room for goes behind the others that wait.
"""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from semsim_service.core.metrics import EmbeddingSource, ServiceMetrics

Images = NDArray[np.uint8]
Embeddings = NDArray[np.float32]

_CLOSE_SECONDS = 10.0
_NONE: Embeddings = np.empty((0, 0), dtype=np.float32)
# The bytes of a cached embedding beside its numbers: the digest, and the objects around both.
_ENTRY_BYTES = 300


@dataclass(slots=True, eq=False)
class Job:
    """The images of one request. The batcher fills in the rest."""

    images: Images
    """The distinct images, at the network's size, ``(U, H, W, 3)``."""
    digests: Sequence[bytes]
    """A digest of each image. Images of equal digests share an embedding."""
    last_rows: NDArray[np.intp]
    """For each pair the later of its two rows. The pair is complete when that row is."""
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"
    embeddings: Embeddings
    """The embeddings of the images, ``(U, D)``, filled when ``future`` is done."""
    waiting_since: float = field(default_factory=time.monotonic)
    began: float = 0.0
    """The time when its first image was taken into a batch, seconds of ``time.monotonic``."""
    inference_seconds: float = 0.0
    taken: int = 0
    done: int = 0
    abandoned: bool = False


@dataclass(slots=True)
class _Batch:
    """One run of the network: its images, and which job gets which embedding."""

    images: list[Images] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    shares: list[tuple[Job, list[int], list[int]]] = field(default_factory=list)
    """Each job with rows of it, and for each row its place in the batch."""
    cached: list[tuple[Job, int, Embeddings]] = field(default_factory=list)
    """Each job with a row of it, and the embedding of that row from the cache."""
    copies: int = 0
    taken: list[tuple[Job, int, int]] = field(default_factory=list)
    """Each job that has images here, its first row in this batch, and the row behind its last one."""

    @property
    def jobs(self) -> list[Job]:
        """The jobs that have images here."""
        return [job for job, _, _ in self.taken]


class Batcher:
    """Embeds the images of concurrent requests together.

    Args:
        embed: the network, images ``(N, H, W, 3)`` to embeddings ``(N, D)``; only ever called by one thread at a time.
        dimension: D.
        batch_size: images a run of the network.
        metrics: where batches are counted.
        cache_bytes: memory for embeddings of images seen before; 0 = none are kept.
    """

    def __init__(
        self,
        embed: Callable[[Images], Embeddings],
        dimension: int,
        batch_size: int,
        metrics: ServiceMetrics,
        cache_bytes: int = 0,
    ) -> None:
        self._embed = embed
        self._dimension = dimension
        self._batch_size = batch_size
        self._metrics = metrics
        self._cache_entries = cache_bytes // (4 * dimension + _ENTRY_BYTES)
        self._cache: OrderedDict[bytes, Embeddings] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._wakeup = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    async def embed(self, images: Images, digests: Sequence[bytes], last_rows: NDArray[np.intp]) -> Job:
        """Embed the U distinct images of one request. A caller that is cancelled leaves the queue."""
        loop = asyncio.get_running_loop()
        embeddings = np.empty((len(images), self._dimension), dtype=np.float32)
        job = Job(images, digests, last_rows, loop, loop.create_future(), embeddings)
        with self._wakeup:
            self._waiting.append(job)
            self._wakeup.notify()
        try:
            await job.future
        finally:
            job.abandoned = True
        return job

    def close(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Embed the images that still wait, and end the thread.

        After so many seconds the thread ends with the run that it is at, nobody waits for it, and this returns False.
        """
        with self._wakeup:
            self._closed = True
            self._wakeup.notify()
        self._thread.join(seconds)
        if ended := not self._thread.is_alive():
            return ended
        with self._wakeup:
            self._waiting.clear()
        return False

    def _work(self) -> None:
        while True:
            with self._wakeup:
                while not self._waiting and not self._closed:
                    self._wakeup.wait()
                if not self._waiting:
                    return
                batch = self._take()
            if batch.jobs:  # every job that waited may have been abandoned
                self._run(batch)

    def _take(self) -> _Batch:
        """The images of the requests whose turn it is, up to a batch of distinct images."""
        batch = _Batch()
        places: dict[bytes, int] = {}
        now = time.monotonic()
        while self._waiting:
            job = self._waiting[0]
            if not job.abandoned:
                job.began = job.began or now
                self._share(job, batch, places)
                if job.taken < len(job.images):
                    self._waiting.rotate(-1)
                    break
            self._waiting.popleft()
        return batch

    def _share(self, job: Job, batch: _Batch, places: dict[bytes, int]) -> None:
        """Take as many of the job's images as the batch has room for."""
        rows: list[int] = []
        where: list[int] = []
        first = job.taken
        while job.taken < len(job.images):
            digest = job.digests[job.taken]
            place = places.get(digest)
            known = self._cache.get(digest) if place is None and self._cache_entries else None
            if known is not None:
                self._cache.move_to_end(digest)
                batch.cached.append((job, job.taken, known))
            else:
                if place is None:
                    if len(places) == self._batch_size:
                        break
                    place = places[digest] = len(places)
                    batch.images.append(job.images[job.taken])
                    batch.digests.append(digest)
                else:
                    batch.copies += 1
                rows.append(job.taken)
                where.append(place)
            job.taken += 1
        if rows:
            batch.shares.append((job, rows, where))
        if job.taken > first:
            batch.taken.append((job, first, job.taken))

    def _run(self, batch: _Batch) -> None:
        begin = time.monotonic()
        try:
            embeddings = self._embed(_stack(batch.images)) if batch.images else _NONE
        except Exception as error:  # noqa: BLE001  # whatever the error is, each caller gets an answer
            self._run_apart(batch, error)
            return
        seconds = time.monotonic() - begin
        self._remember(batch.digests, embeddings)
        self._hand_over(batch.jobs[0], partial(self._deliver, batch, embeddings, seconds))

    def _deliver(self, batch: _Batch, embeddings: Embeddings, seconds: float) -> None:
        """Give each job its embeddings. Runs in the event loop, while the batcher's thread runs the next batch."""
        for job, row, known in batch.cached:
            job.embeddings[row] = known
            job.done += 1
        for job, rows, where in batch.shares:
            job.embeddings[rows] = embeddings[where]
            job.done += len(rows)
            job.inference_seconds += seconds
        for job in batch.jobs:
            if job.done == len(job.images):
                _wake(job, None)
        self._count(batch)

    def _run_apart(self, batch: _Batch, error: Exception) -> None:
        """Run each job of a failed batch by itself, so that only the job at fault fails."""
        jobs = batch.jobs
        for job in jobs:
            if len(jobs) == 1:
                self._hand_over(job, partial(_wake, job, error))
            else:
                begin = time.monotonic()
                try:
                    for start in range(0, len(job.images), self._batch_size):
                        end = min(start + self._batch_size, len(job.images))
                        job.embeddings[start:end] = self._embed(job.images[start:end])
                        self._count_run(end - start, _completed(job.last_rows, start, end))
                except Exception as fault:  # noqa: BLE001
                    self._hand_over(job, partial(_wake, job, fault))
                else:
                    job.inference_seconds += time.monotonic() - begin
                    self._hand_over(job, partial(_wake, job, None))
            job.taken = len(job.images)
            job.abandoned = True

    def _hand_over(self, job: Job, call: Callable[[], None]) -> None:
        """Call ``call`` in the event loop of ``job``, in the order of the runs."""
        try:
            job.loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _remember(self, digests: list[bytes], embeddings: Embeddings) -> None:
        if not self._cache_entries:
            return
        for digest, embedding in zip(digests, embeddings, strict=True):
            self._cache[digest] = embedding.copy()
        while len(self._cache) > self._cache_entries:
            self._cache.popitem(last=False)

    def _count(self, batch: _Batch) -> None:
        images = self._metrics.images
        if batch.images:
            pairs = sum(_completed(job.last_rows, first, end) for job, first, end in batch.taken)
            self._count_run(len(batch.images), pairs)
        if batch.copies:
            images.labels(EmbeddingSource.BATCH).inc(batch.copies)
        if batch.cached:
            images.labels(EmbeddingSource.CACHE).inc(len(batch.cached))

    def _count_run(self, images: int, pairs: int) -> None:
        self._metrics.batch_images.observe(images)
        self._metrics.batch_pairs.observe(pairs)
        self._metrics.images.labels(EmbeddingSource.NETWORK).inc(images)


def _stack(images: Sequence[Images]) -> Images:
    """Images, each contiguous, as one read-only batch.

    ``np.stack`` would let go of the interpreter for each image, and wait to have it back from a busy event loop.
    """
    joined = b"".join(image.data for image in images)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(images), *images[0].shape)


def _wake(job: Job, error: Exception | None) -> None:
    if job.future.done():
        return
    if error is None:
        job.future.set_result(None)
    else:
        job.future.set_exception(error)


def _completed(last_rows: NDArray[np.intp], first: int, end: int) -> int:
    """The number of pairs whose later row is at least ``first`` and less than ``end``."""
    return int(np.count_nonzero((last_rows >= first) & (last_rows < end)))
