"""Answers of the service as scores and failures. An answer to anything but the request that was sent is refused."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semsim.chance import IDENTIFIED
from semsim.client.refusals import printable
from semsim.client.service_model import ServiceModel
from semsim.exceptions import ErrorCode, InvalidAnswer
from semsim.pairs import PairFailure
from semsim.schema_mistakes import mistakes
from semsim.scorer import PairScore
from semsim.uninformative import Uninformative

_NEAR = 1e-6
_SAME = 1e-3
"""The largest distance of equal images, whose embeddings differ by no more than rounding."""
_FARTHEST = 1e6
"""The largest distance that is read: far above those of embeddings, and far below where a calibration overflows."""
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _ReceivedModel(_Received):
    name: str
    version: str
    sha256: str


class _ReceivedProblem(_Received):
    code: ErrorCode
    message: str


class _ReceivedFailure(_Received):
    id: str | None
    error: _ReceivedProblem
    distance: None = None
    leakage: None = None
    mse: None = None


class _ReceivedScore(_Received):
    id: str | None
    distance: Annotated[float, Field(ge=0, le=_FARTHEST, allow_inf_nan=False)]
    leakage: Annotated[float, Field(ge=0, le=1)] | None
    recognizable: bool | None
    mse: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    psnr: _Number | None
    ssim: _Number
    resized: bool
    uninformative: Uninformative | None
    chance: Annotated[float, Field(gt=0, le=1)] | None = None
    identified: bool | None = None
    leakage_low: Annotated[float, Field(ge=0, le=1)] | None = None
    leakage_high: Annotated[float, Field(ge=0, le=1)] | None = None
    lpips: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    error: None = None


class _ReceivedAnswer(_Received):
    model: _ReceivedModel
    results: list[_ReceivedScore | _ReceivedFailure]


def read_answer(body: bytes, ids: Sequence[str | None], model: ServiceModel) -> list[PairScore | PairFailure]:
    """The outcomes of the pairs of a request, in their order.

    Args:
        body: the body of the answer.
        ids: the ids that were sent, None where there were none.
        model: the model that the answer must come from; each leakage must be that of its calibration.

    Raises:
        InvalidAnswer: it has another form, comes from another model, or is of other pairs.
    """
    try:
        answer = _ReceivedAnswer.model_validate_json(body)
    except ValidationError as error:
        raise InvalidAnswer(f"expected the scores of pairs, got:{mistakes(error, _ReceivedAnswer)}") from None
    identity = answer.model.name, answer.model.version, answer.model.sha256
    if identity != model.identity:
        raise InvalidAnswer(
            f"expected scores of {_words(model.identity)}, the model at the start, got those of {_words(identity)}"
        )
    received = [result.id for result in answer.results]
    if len(received) != len(ids):
        raise InvalidAnswer(f"expected {len(ids)} results, one for each pair, got {len(received)}")
    if received != list(ids):
        raise InvalidAnswer("expected the results of the pairs that were sent, got results with other ids")
    return [_outcome(result, model) for result in answer.results]


def _outcome(result: _ReceivedScore | _ReceivedFailure, model: ServiceModel) -> PairScore | PairFailure:
    if isinstance(result, _ReceivedFailure):
        return PairFailure(result.error.code, printable(result.error.message))
    if result.mse == 0 and not result.resized and result.distance > _SAME:
        raise InvalidAnswer(
            f"expected a distance of at most {_SAME} of images with the mse 0, which are equal, got {result.distance}"
        )
    _check_leakage(result, model)
    _check_range(result, model)
    _check_chance(result, model)
    return PairScore(
        distance=result.distance,
        leakage=result.leakage,
        recognizable=result.recognizable,
        mse=result.mse,
        psnr=math.inf if result.psnr is None else result.psnr,
        ssim=result.ssim,
        resized=result.resized,
        uninformative=result.uninformative,
        chance=result.chance,
        identified=result.identified,
        leakage_low=result.leakage_low,
        leakage_high=result.leakage_high,
        lpips=result.lpips,
    )


def _check_leakage(result: _ReceivedScore, model: ServiceModel) -> None:
    """Refuse a leakage that the model's calibration does not give: two calibrations may share a graph and a version."""
    calibration, threshold = model.manifest.calibration, model.manifest.threshold
    if result.uninformative is not None or calibration is None or threshold is None:
        fits = result.leakage is None and result.recognizable is None
    else:
        wanted = float(calibration.leakage(np.array([result.distance]))[0])
        fits = (
            result.leakage is not None
            and abs(result.leakage - wanted) <= _NEAR
            and result.recognizable == (result.leakage >= threshold)
        )
    if not fits:
        raise InvalidAnswer(
            f"expected the leakage that the calibration of {_words(model.identity)} gives, got {result.leakage} for "
            f"the distance {result.distance}"
        )


def _check_range(result: _ReceivedScore, model: ServiceModel) -> None:
    """Refuse a range that the model's draws of calibrations do not give, such as none at all."""
    draws, given = model.manifest.calibration_draws, (result.leakage_low, result.leakage_high)
    if result.leakage is None or draws is None:
        fits = given == (None, None)
    else:
        low, high = (float(end[0]) for end in draws.leakage_range(np.array([result.distance])))
        wanted = min(low, result.leakage), max(high, result.leakage)
        fits = all(one is not None and abs(one - end) <= _NEAR for one, end in zip(given, wanted, strict=True))
    if not fits:
        raise InvalidAnswer(
            f"expected the range of leakage that {_words(model.identity)} gives, got {given[0]} to {given[1]} for "
            f"the distance {result.distance}"
        )


def _check_chance(result: _ReceivedScore, model: ServiceModel) -> None:
    """Refuse a chance where nothing can be told, and one that contradicts ``identified``."""
    if result.chance is None:
        fits = result.identified is None
    else:
        may_tell = result.uninformative is None and model.manifest.controls is not None
        fits = may_tell and result.identified == (result.chance < IDENTIFIED)
    if not fits:
        raise InvalidAnswer(
            f"expected a chance with the controls of {_words(model.identity)}, and identified where it is below "
            f"{IDENTIFIED}, got {result.chance} and {result.identified}"
        )


def _words(identity: tuple[str, str, str]) -> str:
    name, version, sha256 = map(printable, identity)
    return f"{name} {version} ({sha256[:12]})"
