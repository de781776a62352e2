"""Makes messages of ``semsim.v1`` from the core's answers."""

from math import inf

from semsim.exceptions import Overloaded, RequestError
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.call import Timings
from semsim_service.core.schemas import FailedPair, ModelId, ModelInfo, ScoredPair, ScoreResponse


def score_message(answer: ScoreResponse) -> pb.ScoreResponse:
    """The answer to one request."""
    summary = answer.summary
    return pb.ScoreResponse(
        model=_model(answer.model),
        results=[_result(result) for result in answer.results],
        summary=pb.Summary(
            pairs=summary.pairs,
            failed=summary.failed,
            max_leakage=summary.max_leakage,
            mean_leakage=summary.mean_leakage,
            recognizable=summary.recognizable,
            uninformative=summary.uninformative,
            identified=summary.identified,
        ),
    )


def stream_message(sequence: int, answer: ScoreResponse, timings: Timings) -> pb.ScoreStreamResponse:
    """The answer to one request of a stream."""
    return pb.ScoreStreamResponse(
        sequence=sequence,
        response=score_message(answer),
        timings=pb.Timings(
            decode_seconds=timings.decode, queue_seconds=timings.queue, inference_seconds=timings.inference
        ),
    )


def refused_message(sequence: int, error: RequestError) -> pb.ScoreStreamResponse:
    """The refusal of one request of a stream."""
    return pb.ScoreStreamResponse(
        sequence=sequence,
        error=pb.Error(code=error.code.value, message=str(error)),
        retry_after_seconds=error.retry_after if isinstance(error, Overloaded) else None,
    )


def model_message(info: ModelInfo) -> pb.GetModelResponse:
    """The answer to GetModel: the model, its execution provider, and the limits."""
    manifest = info.manifest
    return pb.GetModelResponse(
        model=pb.ModelId(name=manifest.name, version=manifest.version, sha256=manifest.graph.sha256),
        service_version=info.service_version,
        manifest_json=manifest.model_dump_json(),
        provider=pb.ExecutionProvider(
            active=info.provider.active.value,
            missing={provider.value: reason for provider, reason in info.provider.missing.items()},
            onnxruntime=info.provider.onnxruntime,
            arithmetic=info.provider.arithmetic,
        ),
        limits=pb.Limits(**info.limits.model_dump()),
        lpips=None if info.lpips is None else _model(info.lpips),
    )


def _model(model: ModelId) -> pb.ModelId:
    return pb.ModelId(name=model.name, version=model.version, sha256=model.sha256)


def _result(result: ScoredPair | FailedPair) -> pb.PairResult:
    if isinstance(result, FailedPair):
        return pb.PairResult(
            id=result.id,
            error=pb.Error(code=result.error.code.value, message=result.error.message),
            verdict=pb.VERDICT_FAILED,
        )
    return pb.PairResult(
        id=result.id,
        verdict=_verdict(result),
        scored=pb.ScoredPair(
            distance=result.distance,
            leakage=result.leakage,
            recognizable=result.recognizable,
            mse=result.mse,
            psnr=None if result.psnr == inf else result.psnr,
            ssim=result.ssim,
            resized=result.resized,
            uninformative=result.uninformative or "",
            chance=result.chance,
            identified=result.identified,
            leakage_low=result.leakage_low,
            leakage_high=result.leakage_high,
            lpips=result.lpips,
        ),
    )


def _verdict(result: ScoredPair) -> pb.Verdict:
    if result.uninformative:
        return pb.VERDICT_UNINFORMATIVE
    if result.recognizable is None:
        return pb.VERDICT_UNCALIBRATED
    return pb.VERDICT_RECOGNIZABLE if result.recognizable else pb.VERDICT_NOT_RECOGNIZABLE
