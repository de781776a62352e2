"""Where and how the pairs of a request become scores: decoding, preparation, the network's batches."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from semsim.providers import Provider
from semsim.scorer import PairScore, Scorer
from semsim.stages import Pause
from semsim_service.core.batcher import Batcher
from semsim_service.core.beside_controls import beside_controls
from semsim_service.core.call import Call, Span
from semsim_service.core.claim import Claim
from semsim_service.core.decoding import AT_ONCE_BYTES, Decode, Decoding
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.image_batch import last_rows
from semsim_service.core.image_digests import keyed_digest
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.preparing import Piece, PreparedRequest, Preparer
from semsim_service.core.received import ReceivedRequest
from semsim_service.core.remote_scoring import RemoteScoring
from semsim_service.core.scoring_messages import Model
from semsim_service.settings import Settings

logger = logging.getLogger("semsim.service")

Parse = Callable[[], ReceivedRequest]
"""Turns a transport's body into pairs. Called in a decoding thread."""

Worked = tuple[PreparedRequest, list[PairScore]]
"""A request whose pairs are read, and the scores of those that were decoded."""

_SLOW_BATCH_SECONDS = 0.5
"""A batch that takes longer takes nearly all of a group's time: another process would gain nothing."""
_TRIES = 3
"""The batches of which the fastest counts: on a busy machine any one may be slow."""
_MOST_PIXELS = 2**22
"""The pixels of the little requests that wait, 12 MiB, from which on encoded pictures are prepared by the thread that
decodes them: they then take less memory while they wait for the network."""


class PairWork:
    """Turns requests into scores: in the event loop, in threads, and in the process for little requests.

    Args:
        scorer: the model.
        settings: limits and sizes.
        metrics: where batches are counted.
    """

    def __init__(self, scorer: Scorer, settings: Settings, metrics: ServiceMetrics) -> None:
        self._scorer = scorer
        self._limits = settings.limits
        # A request that times out is answered at once, and dropped if it still waits for a thread. If it has a thread,
        # its work ends at the next pause.
        self.decoding = Decoding(settings.decode_threads, settings.limits.decode)
        digest = keyed_digest()
        self._preparer = Preparer(scorer, settings.limits, digest)
        # A GPU's driver may hang, and LPIPS takes longer than the network: neither may hold up the event loop.
        self._on_cpu = scorer.provider.active is Provider.CPU and scorer.lpips is None
        metrics.decoders.set(self.decoding.threads)
        self._batcher = Batcher(
            scorer.embed_prepared,
            scorer.manifest.embedding.dimension,
            settings.batch_size,
            metrics,
            settings.cache_bytes,
        )
        self._groups = GroupScoring(scorer, digest, self._batcher, settings.batch_size)
        self._remote: RemoteScoring | None = None
        if settings.scoring_process and self._on_cpu:
            # What hindered a GPU here may be over when the process starts, and it would compute otherwise.
            providers = settings.providers.model_copy(update={"order": (Provider.CPU,), "required": None})
            model = Model(scorer.artifact, scorer.controls, providers, settings.batch_size, settings.cache_bytes)
            self._remote = RemoteScoring(model, self._groups, metrics)
        self._waiting_pixels = 0

    async def start(self) -> None:
        """Start the process that scores little requests, if there is to be one, and where it would serve more."""
        if self._remote is None:
            return
        if (seconds := min(self._batch_seconds() for _ in range(_TRIES))) < _SLOW_BATCH_SECONDS:
            await self._remote.start(known_pairs(self._scorer))
        else:
            logger.info("no scoring process beside a network that takes %.1f s for a batch", seconds)

    def _batch_seconds(self) -> float:
        """The seconds of a run of the network over a batch."""
        spec = self._scorer.manifest.input
        images = np.zeros((self._scorer.batch_size, spec.height, spec.width, 3), dtype=np.uint8)
        begin = time.monotonic()
        self._scorer.embed_prepared(images)
        return time.monotonic() - begin

    def look(self) -> None:
        """Kill that process if it hangs."""
        if self._remote is not None:
            self._remote.look()

    def close(self, seconds: float) -> bool:
        """End the threads and the processes. Returns False where some work has not ended after so many seconds."""
        deadline = time.monotonic() + seconds
        if self._remote is not None:
            self._remote.close()
        works = (self.decoding, self._groups, self._batcher)
        ended = [work.close(max(0.0, deadline - time.monotonic())) for work in works]
        return all(ended)

    @property
    def is_stuck(self) -> bool:
        """True where decoding or the network does not end, and requests can only time out."""
        return self.decoding.is_stuck or self._batcher.is_stuck

    def may_be_at_once(self, call: Call, claim: Claim) -> bool:
        """True where a request seems to be so little work that :meth:`at_once` may do it, as far as nobody waits."""
        return self._on_cpu and self._is_tiny(call, claim) and self._batcher.is_free(2 * claim.pairs)

    @staticmethod
    def _is_tiny(call: Call, claim: Claim) -> bool:
        return claim.is_little or (claim.pairs == 1 and call.bytes <= AT_ONCE_BYTES)

    def at_once(self, call: Call, parse: Parse, claim: Claim) -> Worked | None:
        """Do the work here, without another thread; None where it is more than was claimed, or the network is at work.

        Raises:
            RequestError: the request is refused as a whole.
        """
        run = self.decoding.run_here if claim.is_little else self.decoding.run_at_once
        if (prepared := run(partial(self._prepare, call, parse))) is None:
            return None
        if prepared.little is None:
            return (prepared, []) if prepared.pairs is None else None
        request = self._little_request(prepared, prepared.little)
        return (prepared, self._shared(call, request)) if self._groups.score_at_once(request) else None

    async def in_turn(self, call: Call, parse: Parse, claim: Claim, *, is_alone: bool = False) -> Worked:
        """Do the work beside that of others, in the threads for it, or in the process for little requests.

        A lone caller's tiny request stays in this process, which then knows if the next one may be done at once.

        Raises:
            RequestError: the request is refused as a whole.
        """
        if claim.is_little and self._scorer.lpips is None:  # its raw images take no memory beside the body
            prepared = self.decoding.run_here(partial(self._prepare, call, parse))
        else:
            prepared = await self.decoding.run(call, partial(self._prepare, call, parse, may_join=self.has_room))
        if prepared.little is not None:
            request = self._little_request(prepared, prepared.little)
            call.timings.begin_wait(request.waiting_since)
            await self._in_group(request, here=is_alone and self._is_tiny(call, claim))
            return prepared, self._shared(call, request)
        return prepared, await self._embed(call, prepared)

    def has_room(self) -> bool:
        """False where so many decoded pictures wait that more of them would take much memory."""
        return self._waiting_pixels < _MOST_PIXELS

    async def _in_group(self, request: LittleRequest, *, here: bool) -> None:
        """Score a request, together with others that wait. A caller that is cancelled leaves the queue."""
        request.future = future = asyncio.get_running_loop().create_future()
        pixels = request.pixels
        self._waiting_pixels += pixels
        try:
            if self._remote is None or here:
                self._groups.take([request])
            else:
                self._remote.take(request)
            await future
        finally:
            request.abandoned = True
            self._waiting_pixels -= pixels
            if future.cancelled():
                self._groups.forget(request)
                if self._remote is not None:
                    self._remote.forget(request)

    def _prepare(
        self, call: Call, parse: Parse, decode: Decode, pause: Pause, may_join: Callable[[], bool] = lambda: True
    ) -> PreparedRequest:
        """Do all the work before the network, or before the group that a little request may join."""
        begin = time.monotonic()
        call.timings.end_wait(begin)
        received = parse()
        self._limits.check_pairs(len(received.pairs))
        call.reserve_pairs(len(received.pairs))
        prepared = self._preparer.prepare(received, decode, pause, may_join)
        end = time.monotonic()
        call.timings.decode = end - begin
        call.timings.spans.append(Span("decode", begin, end))
        return prepared

    def _little_request(self, prepared: PreparedRequest, piece: Piece) -> LittleRequest:
        return LittleRequest(piece.originals, piece.reconstructions, prepared.controls, prepared.histogram)

    def _shared(self, call: Call, request: LittleRequest) -> list[PairScore]:
        """The scores of a little request, whose times are noted."""
        timings = call.timings
        timings.end_wait(request.began)
        timings.decode += request.prepare_seconds
        timings.inference = request.inference_seconds
        ready = request.began + request.prepare_seconds
        timings.spans += [
            Span("queue", request.waiting_since, request.began),
            Span("decode", request.began, ready),
            Span("infer", ready, time.monotonic()),
        ]
        return request.scores

    async def _embed(self, call: Call, prepared: PreparedRequest) -> list[PairScore]:
        """The scores of a request that was prepared by itself."""
        if (pairs := prepared.pairs) is None:
            return []
        timings = call.timings
        timings.begin_wait(time.monotonic())
        job = await self._batcher.embed(pairs.images, prepared.digests, last_rows(pairs))
        timings.end_wait(job.began)
        timings.inference = job.inference_seconds
        timings.spans += [Span("queue", job.waiting_since, job.began), Span("infer", job.began, time.monotonic())]
        scores = self._scorer.combine(pairs, job.embeddings, controls=prepared.controls)
        if not prepared.histogram:
            return scores
        return beside_controls(self._scorer.controls, job.embeddings, pairs.originals, pairs.reconstructions, scores)


def known_pairs(scorer: Scorer) -> LittleRequest:
    """Two pairs of coloured squares with their scores, one of which resembles its original."""
    squares = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    original, other, noise = squares.repeat(8, axis=1).repeat(8, axis=2)
    request = LittleRequest(
        [original, original], [original // 8 * 7 + noise // 8, other], controls=True, histogram=False
    )
    request.scores = scorer.score_images(request.originals, request.reconstructions)
    return request
