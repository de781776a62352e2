"""Scores and failures as the answer that every transport gives."""

from collections.abc import Sequence
from dataclasses import asdict

import semsim
from semsim.lpips_artifact import LpipsManifest
from semsim.lpips_network import LpipsNetwork
from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.providers import ProviderReport
from semsim.scorer import PairScore
from semsim.summary import summarize
from semsim_service.core.beside_controls import ScoreBesideControls
from semsim_service.core.schemas import (
    ControlsHistogram,
    FailedPair,
    ModelId,
    ModelInfo,
    Problem,
    ProviderInfo,
    ScoredPair,
    ScoredPairBesideControls,
    ScoreResponse,
)
from semsim_service.settings import Limits


def answer(manifest: Manifest, ids: Sequence[str | None], results: Sequence[PairScore | PairFailure]) -> ScoreResponse:
    """The answer to one request: a result for each pair, in order and with its id, and the summary."""
    return ScoreResponse(
        model=_identity(manifest),
        results=[_result(pair_id, result) for pair_id, result in zip(ids, results, strict=True)],
        summary=summarize(results),
    )


def model_info(manifest: Manifest, provider: ProviderReport, limits: Limits, lpips: LpipsNetwork | None) -> ModelInfo:
    """The answer of ``GET /model``."""
    return ModelInfo(
        service_version=semsim.__version__,
        manifest=manifest,
        provider=ProviderInfo(
            active=provider.active,
            missing=dict(provider.missing),
            onnxruntime=provider.onnxruntime,
            arithmetic=provider.arithmetic,
        ),
        lpips=None if lpips is None else _identity(lpips.artifact.manifest),
        limits=limits,
    )


def _identity(manifest: Manifest | LpipsManifest) -> ModelId:
    return ModelId(name=manifest.name, version=manifest.version, sha256=manifest.graph.sha256)


def _result(pair_id: str | None, result: PairScore | PairFailure) -> ScoredPair | FailedPair:
    if isinstance(result, PairFailure):
        return FailedPair(id=pair_id, error=Problem(code=result.code, message=result.message))
    numbers = ScoredPair(
        id=pair_id,
        distance=result.distance,
        leakage=result.leakage,
        leakage_low=result.leakage_low,
        leakage_high=result.leakage_high,
        recognizable=result.recognizable,
        chance=result.chance,
        identified=result.identified,
        mse=result.mse,
        psnr=result.psnr,
        ssim=result.ssim,
        lpips=result.lpips,
        resized=result.resized,
        uninformative=result.uninformative,
    )
    if not isinstance(result, ScoreBesideControls):
        return numbers
    histogram = None if result.histogram is None else ControlsHistogram(**asdict(result.histogram))
    return ScoredPairBesideControls(**dict(numbers), controls_histogram=histogram)
