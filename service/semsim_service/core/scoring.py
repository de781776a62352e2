"""The core: it takes one request from its pairs to its answer, through limits, decoding and batching."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from semsim.exceptions import ErrorCode, Overloaded, RequestError, RequestTimeout
from semsim.manifest import Manifest
from semsim.pairs import merge_outcomes
from semsim.scorer import PairScore, Scorer
from semsim_service.core.admission import Admission
from semsim_service.core.answer import answer, model_info
from semsim_service.core.call import Call, Source, Transport
from semsim_service.core.claim import Claim
from semsim_service.core.company import Company
from semsim_service.core.metrics import OK, Rejection, ServiceMetrics
from semsim_service.core.pair_work import PairWork, Parse
from semsim_service.core.preparing import PreparedRequest
from semsim_service.core.schemas import ModelInfo, ScoreResponse
from semsim_service.settings import Settings

logger = logging.getLogger("semsim.service")

_OBSERVE_SECONDS = 0.25
_CLOSE_SECONDS = 4.0
_REJECTIONS = {ErrorCode(reason.value): reason for reason in Rejection if reason.value in set(ErrorCode)}


class ScoringCore:
    """Answers requests of any transport.

    Args:
        scorer: the model.
        settings: limits, times and sizes.
        metrics: where everything is counted.
        authenticate: raises Unauthenticated for a wrong or a missing ``Authorization`` header.
        observe: called with every request when it is over, and with the code of its outcome.
    """

    def __init__(
        self,
        scorer: Scorer,
        settings: Settings,
        metrics: ServiceMetrics,
        authenticate: Callable[[str | None], None] = lambda _: None,
        observe: Callable[[Call, str], None] = lambda _, __: None,
    ) -> None:
        self._scorer = scorer
        self._seconds = settings.request_seconds
        self._authenticate = authenticate
        self._observe = observe
        self.limits = settings.limits
        self.metrics = metrics
        self._admission = Admission(settings.queue, metrics)
        self._work = PairWork(scorer, settings, metrics)
        self._calls: dict[int, Call] = {}
        self._company = Company()
        metrics.describe(scorer.manifest, scorer.provider)

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self._scorer.manifest

    async def start(self) -> None:
        """Start the processes that go on beside this one, in the event loop that the requests come to."""
        await self._work.start()

    async def observe_queue(self) -> None:
        """Keep the queue's gauges current, and end a scoring process that hangs, until cancelled."""
        while True:
            self._admission.observe()
            self._work.look()
            now = time.monotonic()
            waits = (call.timings.waited(now) for call in self._calls.values())
            self.metrics.queue_oldest.set(max(waits, default=0.0))
            self.metrics.decoders_busy.set(self.decoders_busy)
            await asyncio.sleep(_OBSERVE_SECONDS)

    @property
    def is_stuck(self) -> bool:
        """True where requests can only time out: decoding, or a run of the network, does not end."""
        return self._work.is_stuck

    @property
    def decoders_busy(self) -> int:
        """The number of threads that decode a request."""
        return self._work.decoding.busy

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """End the threads and the processes, at the latest after so many seconds. Nobody should wait for an answer."""
        if not self._work.close(seconds):
            logger.error("the service stops while decoding or the network is at work that does not end")

    @asynccontextmanager
    async def request(
        self,
        transport: Transport,
        *,
        request_id: str,
        authorization: str | None = None,
        traceparent: str | None = None,
        seconds: float | None = None,
        source: Callable[[], Source] = Source,
    ) -> AsyncIterator[Call]:
        """Authenticate, time and count one request, from its first byte to its answer, and release its room at the end.

        Args:
            transport: the way by which it came.
            request_id: the caller's name for it, or :func:`semsim_service.core.call.new_request_id`.
            authorization: the ``Authorization`` header, or gRPC's metadata of that name.
            traceparent: the header of that name.
            seconds: the caller's own deadline. The service's deadline wins where it is shorter.
            source: gives the place that it came from, for the log.

        Raises:
            RequestError: the request is refused, or not answered in time; its ``code`` tells them apart.
        """
        began = time.monotonic()
        limit = self._seconds if seconds is None else max(0.0, min(seconds, self._seconds))
        call = Call(transport, request_id, began, self._admission, traceparent, deadline=began + limit, source=source)
        code = ErrorCode.INTERNAL.value
        self._calls[id(call)] = call
        try:
            self._authenticate(authorization)
            async with asyncio.timeout(limit):
                yield call
            code = OK
        except TimeoutError:
            code = ErrorCode.TIMEOUT.value
            raise RequestTimeout(f"no answer within {limit:g} seconds") from None
        except RequestError as error:
            code = error.code.value
            if (reason := _REJECTIONS.get(error.code)) is not None:
                self.metrics.rejected.labels(reason).inc()
            raise
        except asyncio.CancelledError:
            code = ErrorCode.CANCELLED.value
            raise
        finally:
            call.release()
            del self._calls[id(call)]
            self._count(call, code)

    def authenticate(
        self, transport: Transport, request_id: str, authorization: str | None, source: Callable[[], Source]
    ) -> None:
        """Check the caller of a stream, and count and tell a refusal. Each of the stream's requests is checked again.

        Raises:
            Unauthenticated: the caller has no token, or another one.
        """
        try:
            self._authenticate(authorization)
        except RequestError as error:
            self.metrics.requests.labels(transport, error.code.value).inc()
            self.metrics.rejected.labels(Rejection.UNAUTHENTICATED).inc()
            call = Call(transport, request_id, time.monotonic(), self._admission, source=source)
            self._observe(call, error.code.value)
            raise

    @property
    def queue_is_full(self) -> bool:
        """True where no request with pairs is admitted."""
        return self._admission.is_full

    def refuse_unread(
        self,
        transport: Transport,
        request_id: str,
        *,
        authorization: str | None,
        traceparent: str | None,
        source: Callable[[], Source],
    ) -> Overloaded | None:
        """The refusal of a request that is not read, for which the queue has no room: it is counted, logged and traced.

        Returns None where there is room, or where the request is refused for another reason.
        """
        began = time.monotonic()
        try:
            self._authenticate(authorization)
            self._admission.reserve(0, 0)
        except Overloaded as error:
            self._count(Call(transport, request_id, began, self._admission, traceparent, source=source), error.code)
            return error.with_traceback(None)
        except RequestError:
            pass
        return None

    def _count(self, call: Call, code: str) -> None:
        """Count, log and trace a request that is over."""
        self.metrics.requests.labels(call.transport, code).inc()
        self.metrics.request_seconds.labels(call.transport).observe(time.monotonic() - call.began)
        self._observe(call, code)

    async def score(self, call: Call, parse: Parse, claim: Claim) -> ScoreResponse:
        """Parse, decode and score one request, at once or in turn. A bad pair fails alone.

        Args:
            call: the request.
            parse: gives its pairs.
            claim: the size that it claims to have.

        Raises:
            RequestError: the request is refused as a whole.
        """
        at_once = self.score_at_once(call, parse, claim)
        return await self.score_in_turn(call, parse, claim) if at_once is None else at_once

    def score_at_once(self, call: Call, parse: Parse, claim: Claim) -> ScoreResponse | None:
        """Score one request in the event loop, without another thread, as :meth:`score` does.

        Returns None where another caller may wait meanwhile, the network is no fast one of a CPU or is at work, or the
        request may be more than a pair of tiny pictures.
        """
        self._company.note(call.source().peer, len(self._calls) - 1)
        if not (self._company.is_alone and self._work.may_be_at_once(call, claim)):
            return None
        self._reserve(call, claim)
        worked = self._work.at_once(call, parse, claim)
        return None if worked is None else self._answer(call, *worked)

    async def score_in_turn(self, call: Call, parse: Parse, claim: Claim) -> ScoreResponse:
        """Score one request beside others, in the threads for it, as :meth:`score` does."""
        self._reserve(call, claim)
        try:
            return self._answer(call, *await self._work.in_turn(call, parse, claim, is_alone=self._company.is_alone))
        except asyncio.CancelledError:
            # A request that gives up counts, too: a queue in which all of them do would otherwise show no wait.
            call.timings.end_wait(time.monotonic())
            self.metrics.queue_seconds.observe(call.timings.queue)
            raise

    def _answer(self, call: Call, prepared: PreparedRequest, scores: list[PairScore]) -> ScoreResponse:
        """Count the pairs of a request, and make its answer."""
        results = merge_outcomes(len(prepared.ids), prepared.indices, scores, prepared.failures)
        call.failed = len(prepared.failures)
        self.metrics.observe_pairs(results)
        self.metrics.decode_seconds.observe(call.timings.decode)
        self.metrics.queue_seconds.observe(call.timings.queue)
        self.metrics.inference_seconds.observe(call.timings.inference)
        return answer(self.manifest, prepared.ids, results)

    def model_info(self) -> ModelInfo:
        """The model, its execution provider, its LPIPS network, and the limits of a request."""
        return model_info(self.manifest, self._scorer.provider, self.limits, self._scorer.lpips)

    def _reserve(self, call: Call, claim: Claim) -> None:
        """Take the room that a request claims: a full queue would otherwise read the request, and then refuse it."""
        # A claim of too many pairs is refused when they are read, and takes little room until then.
        call.reserve_pairs(claim.pairs if 1 <= claim.pairs <= self.limits.pairs else 1)
