"""The one batcher: it embeds the images of all requests together, each distinct image once.

Its thread takes the images that wait as soon as the network is free, up to the network's best batch. So nothing waits
for a batch to fill: a batch holds the images that came during the run before. The batcher counts images, not pairs,
because a run costs by its images: eight pairs of one original are nine images. Requests take turns: one that has more
images than a batch has room for goes behind the others that wait. A lone caller's images may be embedded at once, in
the caller's thread, since two threads that wake each other take as long as a small network's run.
"""

import asyncio
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import RequestTimeout
from semsim_service.core.image_batch import Embeddings, ImageBatch, Images, Job, nobody_waits
from semsim_service.core.metrics import EmbeddingSource
from semsim_service.core.run_counts import RunObserver
from semsim_service.core.waking import wake

_CLOSE_SECONDS = 10.0
_AT_ONCE_SECONDS = 0.005
"""The longest run of the network that may hold up the caller's event loop."""
_STUCK_SECONDS = 60.0
"""A run takes milliseconds, or seconds of a large model. One that goes on for so long hangs, perhaps in a driver."""
_NONE: Embeddings = np.empty((0, 0), dtype=np.float32)
# The bytes of a cached embedding beside its numbers: the digest, and the objects around both.
_ENTRY_BYTES = 300


class Batcher:
    """Embeds the images of concurrent requests together.

    Args:
        embed: the network, images ``(N, H, W, 3)`` to embeddings ``(N, D)``; only ever called by one thread at a time.
        dimension: D.
        batch_size: images a run of the network.
        observer: is told of each run, and of the images that needed none.
        cache_bytes: memory for embeddings of images seen before; 0 = none are kept.
    """

    def __init__(
        self,
        embed: Callable[[Images], Embeddings],
        dimension: int,
        batch_size: int,
        observer: RunObserver,
        cache_bytes: int = 0,
    ) -> None:
        self._embed = embed
        self._dimension = dimension
        self._batch_size = batch_size
        self._observer = observer
        self._cache_entries = cache_bytes // (4 * dimension + _ENTRY_BYTES)
        self._cache: OrderedDict[bytes, Embeddings] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._wakeup = threading.Condition()
        self._closed = False
        self._running = False
        self.image_seconds = math.inf
        """The seconds of the last run for each of its images."""
        self._run_began: float | None = None
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    async def embed(self, images: Images, digests: Sequence[bytes], last_rows: NDArray[np.intp]) -> Job:
        """Embed the U distinct images of one request. A caller that is cancelled leaves the queue."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        job = self.job(images, digests, last_rows)
        job.finish, job.wanted = lambda _, error: wake([future], error), lambda: not future.done()
        self.submit(job)
        try:
            await future
        finally:
            if future.cancelled():
                with self._wakeup, suppress(ValueError):
                    self._waiting.remove(job)
        return job

    def submit(self, job: Job) -> None:
        """Embed the images of a job, of whatever thread. Its ``finish`` is called in the batcher's thread."""
        with self._wakeup:
            self._waiting.append(job)
            self._wakeup.notify()
        self._count_copies(job)

    def is_free(self, images: int) -> bool:
        """True where the network is idle, and so fast that so many images may be embedded in the caller's thread."""
        fast = images * self.image_seconds <= _AT_ONCE_SECONDS
        return self._is_idle and images <= self._batch_size and fast

    @property
    def _is_idle(self) -> bool:
        return not (self._running or self._waiting or self._closed)

    @property
    def is_stuck(self) -> bool:
        """True where the network is at a run that should have ended long ago."""
        began = self._run_began
        return began is not None and time.monotonic() - began > _STUCK_SECONDS

    def embed_at_once(self, images: Images, digests: Sequence[bytes], last_rows: NDArray[np.intp]) -> Job | None:
        """Embed the distinct images of one request in this thread, where :meth:`is_free` allows it, else None.

        It is called in the event loop, as :meth:`embed` is. An error of the network is raised.
        """
        if not self.is_free(len(images)):
            return None
        job = self.job(images, digests, last_rows)
        return job if self.embed_here(job) else None

    def embed_here(self, job: Job) -> bool:
        """Embed the images of a job in this thread; False where the network is at work.

        An error of the network is raised.
        """
        with self._wakeup:
            if not self._is_idle:
                return False
            self._running = True
        try:
            while job.taken < len(job.images):
                job.began = job.began or time.monotonic()
                batch = ImageBatch()
                self._share(job, batch, {})
                self._deliver(batch, *self._embedded(batch))
        finally:
            with self._wakeup:
                self._running = False
                if self._waiting or self._closed:
                    self._wakeup.notify()
        self._count_copies(job)
        return True

    def job(self, images: Images, digests: Sequence[bytes], last_rows: NDArray[np.intp]) -> Job:
        """A job for U distinct images, ``(U, H, W, 3)``; its fields say what the others are."""
        return Job(images, digests, last_rows, np.empty((len(images), self._dimension), dtype=np.float32))

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
                self._running = False
                while self._running or not (self._waiting or self._closed):
                    self._wakeup.wait()
                if not self._waiting:
                    return
                batch = self._take()
                self._running = True
            if batch.jobs:  # every job that waited may have been abandoned
                self._run(batch)

    def _take(self) -> ImageBatch:
        """The images of the requests whose turn it is, up to a batch of distinct images."""
        batch = ImageBatch()
        places: dict[bytes, int] = {}
        now = time.monotonic()
        while self._waiting:
            job = self._waiting[0]
            if not job.wanted():
                job.finish(job, RequestTimeout("the request is over"))
            else:
                job.began = job.began or now
                self._share(job, batch, places)
                if job.taken < len(job.images):
                    self._waiting.rotate(-1)
                    break
            self._waiting.popleft()
        return batch

    def _share(self, job: Job, batch: ImageBatch, places: dict[bytes, int]) -> None:
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

    def _run(self, batch: ImageBatch) -> None:
        try:
            embeddings, seconds = self._embedded(batch)
        except Exception as error:  # noqa: BLE001  # whatever the error is, each caller gets an answer
            self._run_apart(batch, error)
            return
        self._deliver(batch, embeddings, seconds)

    def _embedded(self, batch: ImageBatch) -> tuple[Embeddings, float]:
        """The embeddings of a batch's images, and the seconds that the network took."""
        begin = time.monotonic()
        embeddings = self._run_network(batch.stack()) if batch.images else _NONE
        seconds = time.monotonic() - begin
        if batch.images:
            self.image_seconds = seconds / len(batch.images)
        self._remember(batch.digests, embeddings)
        return embeddings, seconds

    def _run_network(self, images: Images) -> Embeddings:
        self._run_began = time.monotonic()
        try:
            return self._embed(images)
        finally:
            self._run_began = None

    def _deliver(self, batch: ImageBatch, embeddings: Embeddings, seconds: float) -> None:
        """Give each job its embeddings."""
        for job, row, known in batch.cached:
            job.embeddings[row] = known
            job.done += 1
        for job, rows, where in batch.shares:
            job.embeddings[rows] = embeddings[where]
            job.done += len(rows)
            job.inference_seconds += seconds
        self._count(batch)
        for job in batch.jobs:
            if job.done == len(job.images):
                job.finish(job, None)

    def _run_apart(self, batch: ImageBatch, error: Exception) -> None:
        """Run each job of a failed batch by itself, so that only the job at fault fails."""
        jobs = batch.jobs
        for job in jobs:
            if len(jobs) == 1:
                job.finish(job, error)
            else:
                begin = time.monotonic()
                try:
                    for start in range(0, len(job.images), self._batch_size):
                        end = min(start + self._batch_size, len(job.images))
                        job.embeddings[start:end] = self._run_network(job.images[start:end])
                        self._observer.ran(end - start, job.completed_pairs(start, end))
                except Exception as fault:  # noqa: BLE001
                    job.finish(job, fault)
                else:
                    job.inference_seconds += time.monotonic() - begin
                    job.finish(job, None)
            job.taken = len(job.images)
            job.finish, job.wanted = nobody_waits, lambda: False

    def _remember(self, digests: list[bytes], embeddings: Embeddings) -> None:
        if not self._cache_entries:
            return
        for digest, embedding in zip(digests, embeddings, strict=True):
            self._cache[digest] = embedding.copy()
        while len(self._cache) > self._cache_entries:
            self._cache.popitem(last=False)

    def _count_copies(self, job: Job) -> None:
        if job.copies:
            self._observer.spared(job.copies, EmbeddingSource.BATCH)

    def _count(self, batch: ImageBatch) -> None:
        if batch.images:
            self._observer.ran(len(batch.images), batch.completed_pairs)
        if batch.copies:
            self._observer.spared(batch.copies, EmbeddingSource.BATCH)
        if batch.cached:
            self._observer.spared(len(batch.cached), EmbeddingSource.CACHE)
