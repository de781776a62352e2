"""The scoring of little requests in groups: the pairs of several go through one call of the library.

Alone, a pair of small images takes far longer than among eight, since most of its time goes into the calls of array
operations, and not into their work. So one thread takes the requests that wait, up to a batch of images, prepares them
together, has them embedded, and makes their scores. It prepares one group while the network is at another, and waits
with the next: so groups hold what came meanwhile.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from semsim.scorer import PairScore, PreparedPairs, Scorer
from semsim_service.core.batcher import Batcher
from semsim_service.core.beside_controls import beside_controls
from semsim_service.core.image_batch import Job, last_rows
from semsim_service.core.image_digests import Digest
from semsim_service.core.little_request import LittleRequest, wake_callers

_GROUPS_AHEAD = 2
"""The groups that are prepared and not embedded: one at the network, and one behind it."""
_BATCHES = 4
"""The batches of images in the largest group of a process that has no other work."""
_SHORT = 2.2
"""The time of the network, in that of the preparation, up to which its run is short (measured on two cores)."""


@dataclass(slots=True)
class _PreparedGroup:
    """Requests that are scored together."""

    requests: Sequence[LittleRequest]
    pairs: PreparedPairs
    digests: list[bytes]

    def is_wanted(self) -> bool:
        """False where all its callers gave up."""
        return not all(request.abandoned for request in self.requests)

    @property
    def slices(self) -> list[slice]:
        """The places of each request's pairs among all."""
        ends = np.cumsum([0, *(len(request.originals) for request in self.requests)]).tolist()
        return [slice(*ends) for ends in pairwise(ends)]

    @property
    def copies(self) -> int:
        """The number of images that are those of another request, too."""
        pairs = self.pairs
        own = sum(len({*pairs.originals[one], *pairs.reconstructions[one]}) for one in self.slices)
        return own - len(pairs.images)


class GroupScoring:
    """Scores little requests with a model's scorer, in a thread of its own.

    Args:
        scorer: the model.
        digest: names the images that are the same.
        batcher: runs the network.
        batch_size: the images of a group.
        owns_process: True where the interpreter has no other work. Short runs of the network stay in this thread then.
        tell: called with requests that are scored, or have failed with the error. Any thread may call it.
    """

    def __init__(
        self,
        scorer: Scorer,
        digest: Digest,
        batcher: Batcher,
        batch_size: int,
        *,
        owns_process: bool = False,
        tell: Callable[[Sequence[LittleRequest], Exception | None], None] = wake_callers,
    ) -> None:
        self._scorer = scorer
        self._digest = digest
        self._batcher = batcher
        self._batch_size = batch_size
        self._owns_process = owns_process
        self._is_short = owns_process
        """True where the network's runs stay in this thread: the next group may then be large."""
        self._tell = tell
        self._waiting: deque[LittleRequest] = deque()
        self._embedded: deque[tuple[_PreparedGroup, Job, Exception | None]] = deque()
        self._at_network = 0
        self._closed = False
        self._wakeup = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="groups", daemon=True)
        self._thread.start()

    def take(self, requests: Sequence[LittleRequest]) -> None:
        """Score requests, together with others that wait, unless they are abandoned before. Any thread may call it."""
        with self._wakeup:
            self._waiting.extend(requests)
            self._wakeup.notify()

    def forget(self, request: LittleRequest) -> None:
        """Let go of a request that is abandoned, if it still waits. Any thread may call it."""
        with self._wakeup, suppress(ValueError):
            self._waiting.remove(request)

    def score_at_once(self, request: LittleRequest) -> bool:
        """Score a request in this thread, where the network is free for it; False where it is not.

        It is called in the event loop. An error of the network is raised.
        """
        if not self._batcher.is_free(request.images):
            return False
        request.began = time.monotonic()
        group = self._prepared([request])
        job = self._batcher.embed_at_once(group.pairs.images, group.digests, last_rows(group.pairs))
        if job is None:
            return False
        self._finish(group, job)
        return True

    def close(self, seconds: float) -> bool:
        """Score what waits, and end the thread. Returns False where it goes on after so many seconds."""
        with self._wakeup:
            self._closed = True
            self._wakeup.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._wakeup:
                while not (self._embedded or self._may_take() or self._is_over()):
                    self._wakeup.wait()
                embedded = self._embedded.popleft() if self._embedded else None
                requests = [] if embedded else self._take()
                if not (embedded or requests) and self._is_over():
                    return
            if embedded is not None:
                self._score(*embedded)
            elif requests:
                self._begin(requests)
            del embedded, requests  # they hold images

    def _may_take(self) -> bool:
        return bool(self._waiting) and self._at_network < _GROUPS_AHEAD

    def _is_over(self) -> bool:
        return self._closed and not (self._waiting or self._at_network)

    def _take(self) -> list[LittleRequest]:
        """The requests whose turn it is, one at least unless all of them gave up.

        A large group is half of what waits: while their callers read the answers, the other half is scored.
        """
        half = sum(request.images for request in self._waiting) // 2
        most = min((_BATCHES if self._is_short else 1) * self._batch_size, max(self._batch_size, half))
        group: list[LittleRequest] = []
        images, now = 0, time.monotonic()
        while self._waiting:
            request = self._waiting[0]
            if not request.abandoned:
                images += request.images
                if group and (images > most or request.alone or group[0].alone):
                    break
                request.began = now
                group.append(request)
            self._waiting.popleft()
        return group

    def _begin(self, requests: Sequence[LittleRequest]) -> None:
        """Prepare a group, and embed it here or hand it to the network's thread."""
        try:
            group = self._prepared(requests)
            job = self._batcher.job(group.pairs.images, group.digests, last_rows(group.pairs))
            job.copies = group.copies
            is_embedded = self._stays_here(job, requests[0].prepare_seconds) and self._batcher.embed_here(job)
        except Exception as error:  # noqa: BLE001  # whatever the error is, each caller gets an answer
            self._fail(requests, error)
            return
        if is_embedded:
            self._score(group, job, None)
            return
        job.finish, job.wanted = partial(self._take_back, group), group.is_wanted
        with self._wakeup:
            self._at_network += 1
        self._batcher.submit(job)

    def _stays_here(self, job: Job, prepare_seconds: float) -> bool:
        """True where the hand-over to the network's thread would cost more than two threads at once gain."""
        network_seconds = len(job.images) * self._batcher.image_seconds
        self._is_short = self._owns_process and network_seconds <= _SHORT * prepare_seconds
        return self._is_short

    def _take_back(self, group: _PreparedGroup, job: Job, error: Exception | None) -> None:
        """Take a group from the network. The batcher's thread calls this."""
        with self._wakeup:
            self._at_network -= 1
            self._embedded.append((group, job, error))
            self._wakeup.notify()

    def _score(self, group: _PreparedGroup, job: Job, error: Exception | None) -> None:
        """Make the scores of an embedded group, and wake its callers."""
        if error is not None:
            self._fail(group.requests, error)
            return
        try:
            self._finish(group, job)
        except Exception as fault:  # noqa: BLE001
            self._fail(group.requests, fault)
        else:
            self._tell(group.requests, None)

    def _fail(self, requests: Sequence[LittleRequest], error: Exception) -> None:
        """Score each request of a group that failed by itself, so that only the one at fault fails."""
        if len(requests) == 1:
            self._tell(requests, error)
            return
        with self._wakeup:
            for request in requests:
                request.alone = True
                self._waiting.append(request)

    def _prepared(self, requests: Sequence[LittleRequest]) -> _PreparedGroup:
        begin = time.monotonic()
        pairs = self._scorer.prepare(
            [image for request in requests for image in request.originals],
            [image for request in requests for image in request.reconstructions],
        )
        digests = [self._digest(image) for image in pairs.images]
        seconds = time.monotonic() - begin
        for request in requests:
            request.prepare_seconds = seconds
        return _PreparedGroup(requests, pairs, digests)

    def _finish(self, group: _PreparedGroup, job: Job) -> None:
        """Make the scores of a group of which the embeddings are there."""
        pairs, requests = group.pairs, group.requests
        scores = self._scorer.combine(pairs, job.embeddings, controls=any(request.controls for request in requests))
        for request, one in zip(requests, group.slices, strict=True):
            request.inference_seconds = job.inference_seconds
            request.scores = scores[one] if request.controls else [_without_controls(score) for score in scores[one]]
            if request.histogram:
                rows = pairs.originals[one], pairs.reconstructions[one]
                request.scores = beside_controls(self._scorer.controls, job.embeddings, *rows, request.scores)


def _without_controls(score: PairScore) -> PairScore:
    return replace(score, chance=None, identified=None)
