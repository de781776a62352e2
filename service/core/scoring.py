"""One request, from encoded pairs to the answer: limits, decoding, scoring, summary."""

from asyncio import get_running_loop
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import semsim
from semsim.exceptions import TooManyPairs
from semsim.pairs import DecodedPairs, PairFailure, decode_pairs
from semsim.scorer import PairScore
from semsim.stages import Stage, StageClock
from semsim.summary import summarize
from service.backend import Backend
from service.core.schemas import (
    EncodedPair,
    FailedPair,
    ModelId,
    ModelInfo,
    Problem,
    ProviderInfo,
    RejectedPair,
    ScoredPair,
    ScoreResponse,
)
from service.metrics import ServiceMetrics
from service.settings import Limits

Parse = Callable[[], Sequence[EncodedPair | RejectedPair]]
"""Turns a transport's body into pairs; called off the event loop."""


class ScoringCore:
    """Answers requests of any transport."""

    def __init__(self, backend: Backend, limits: Limits, metrics: ServiceMetrics, decode_threads: int) -> None:
        self._backend = backend
        self.limits = limits
        self.metrics = metrics
        # A request that times out is answered at once, and dropped if it still waits for a thread. One that has a
        # thread keeps it until it is done, so that no more than these run.
        self._decoders = ThreadPoolExecutor(decode_threads, "decode")

    async def score(self, parse: Parse) -> ScoreResponse:
        """Parse, decode and score one request; a bad pair fails alone.

        Raises:
            RequestError: the request is refused as a whole.
        """
        clock = StageClock()

        def read() -> tuple[Sequence[EncodedPair | RejectedPair], DecodedPairs]:
            with clock.measure(Stage.DECODE):
                pairs = parse()
                return pairs, self._decode(pairs)

        pairs, decoded = await get_running_loop().run_in_executor(self._decoders, read)
        scores = await self._backend.score(decoded.originals, decoded.reconstructions, clock)
        outcomes: dict[int, PairScore | PairFailure] = {
            **decoded.failures,
            **dict(zip(decoded.indices, scores, strict=True)),
        }
        results = [outcomes[index] for index in range(len(pairs))]
        self.metrics.observe_pairs(results, clock)
        return self._response([pair.id for pair in pairs], results)

    def check_pair_count(self, count: int) -> None:
        """Refuse a request before its images are decoded.

        Raises:
            TooManyPairs: more than the limit.
        """
        if count > self.limits.pairs:
            raise TooManyPairs(f"expected at most {self.limits.pairs} pairs a request, got {count}")

    def model_info(self) -> ModelInfo:
        """What serves, and within which limits."""
        provider = self._backend.provider
        return ModelInfo(
            service_version=semsim.__version__,
            manifest=self._backend.manifest,
            provider=ProviderInfo(
                active=provider.active, missing=dict(provider.missing), onnxruntime=provider.onnxruntime
            ),
            limits=self.limits,
        )

    def _decode(self, pairs: Sequence[EncodedPair | RejectedPair]) -> DecodedPairs:
        self.check_pair_count(len(pairs))
        return decode_pairs(
            [
                pair.failure if isinstance(pair, RejectedPair) else (pair.original, pair.reconstruction)
                for pair in pairs
            ],
            limits=self.limits.decode,
            max_total_pixels=self.limits.request_pixels,
        )

    def _response(self, ids: Sequence[str | None], results: Sequence[PairScore | PairFailure]) -> ScoreResponse:
        manifest = self._backend.manifest
        return ScoreResponse(
            model=ModelId(name=manifest.name, version=manifest.version, sha256=manifest.graph.sha256),
            results=[_result(pair_id, result) for pair_id, result in zip(ids, results, strict=True)],
            summary=summarize(results, calibrated=manifest.calibration is not None),
        )


def _result(pair_id: str | None, result: PairScore | PairFailure) -> ScoredPair | FailedPair:
    if isinstance(result, PairFailure):
        return FailedPair(id=pair_id, error=Problem(code=result.code, message=result.message))
    return ScoredPair(
        id=pair_id,
        distance=result.distance,
        leakage=result.leakage,
        recognizable=result.recognizable,
        mse=result.mse,
        psnr=result.psnr,
        ssim=result.ssim,
        resized=result.resized,
    )
