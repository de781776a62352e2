"""The JSON of requests, answers and errors. Every transport gives the same answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from semsim.exceptions import ErrorCode
from semsim.manifest import Manifest
from semsim.providers import Arithmetic, Provider
from semsim.summary import Summary
from semsim.uninformative import Uninformative
from semsim_service.settings import Limits

MAX_ID_LENGTH = 256

PairId = Annotated[str, Field(max_length=MAX_ID_LENGTH, description="Echoed in the result.")]


class _Model(BaseModel):
    # Pydantic would keep short strings of requests that are over, ids and tiny images, to find them again.
    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="keys")


class PairInput(_Model):
    """One (original, reconstruction) pair; each image is PNG, JPEG or WebP in base64."""

    id: PairId | None = None
    original: Annotated[str, Field(description="The client's image, base64.", examples=["iVBORw0KGgo="])]
    reconstruction: Annotated[str, Field(description="The attack's reconstruction, base64.", examples=["iVBORw0KGgo="])]


class ScoreRequest(_Model):
    """One or many pairs. A pair that cannot be scored fails alone; the others are scored."""

    pairs: Annotated[list[PairInput], Field(min_length=1)]
    controls: Annotated[
        bool, Field(strict=True, description="False leaves chance and identified out: they are null then.")
    ] = True


class Problem(_Model):
    """An error: a stable code for programs, and a message for people."""

    code: ErrorCode
    message: str


class ErrorEnvelope(_Model):
    """The body of every answer that is not a success."""

    error: Problem


class ModelId(_Model):
    """The model that gave the numbers."""

    name: str
    version: str
    sha256: str


class ScoredPair(_Model):
    """The numbers of one pair."""

    id: str | None
    distance: Annotated[float, Field(description="L2 between the embeddings; 0 = same image, lower = more leakage.")]
    leakage: Annotated[
        float | None,
        Field(
            description="Probability in [0, 1] that an annotator recognises the reconstruction: a person, or a vision "
            "model or classifier in the stead of one, as the manifest at GET /model says; null when the model carries "
            "no calibration, and when the pair is uninformative."
        ),
    ]
    leakage_low: Annotated[
        float | None,
        Field(
            description="The lower end of the leakage's range, in [0, 1]: that of the middle 90% of calibrations on "
            "other draws of the originals that were judged; null where the leakage is, or the model keeps no draws."
        ),
    ]
    leakage_high: Annotated[float | None, Field(description="The upper end of that range; null likewise.")]
    recognizable: Annotated[bool | None, Field(description="leakage >= the model's threshold; null likewise.")]
    chance: Annotated[
        float | None,
        Field(
            description="Share in (0, 1] of the model's public control images, one counted with them, that are as near "
            "to the reconstruction as its original is. A low one says that it is this picture, and not only one of its "
            "kind. Null when the pair is uninformative, when the model carries no controls or the request wants none, "
            "and when fewer than 100 of them are no copies of the original."
        ),
    ]
    identified: Annotated[bool | None, Field(description="chance < 1%; null likewise.")]
    mse: Annotated[float, Field(description="Mean squared error, squared 8-bit levels.")]
    psnr: Annotated[float | None, Field(description="dB; null when infinite, for equal images.")]
    ssim: Annotated[float, Field(description="Structural similarity, -1..1; 1 = equal.")]
    lpips: Annotated[
        float | None,
        Field(
            description="LPIPS with AlexNet, >= 0; 0 = equal, lower = closer. Null where the service has no LPIPS "
            "artifact, and where the original has a side under 31 pixels or over 2^20 pixels."
        ),
    ]
    resized: Annotated[
        bool, Field(description="The reconstruction was resized to the original for mse, psnr and ssim.")
    ]
    uninformative: Annotated[
        Uninformative | None,
        Field(
            description="The reason why nothing can be told, so that leakage and recognizable are null. original: "
            "it shows nothing (a plain colour, a gradient, noise). blank: the reconstruction is blank or dim beside it "
            "(a failed attack, values not scaled to 0..255). reordered: the reconstruction resembles it mirrored, "
            "turned, shifted, inverted, in one channel or with its channels or axes in another order. moved: the "
            "reconstruction resembles it elsewhere in the picture. None says that it is safe."
        ),
    ]


class ControlsHistogram(_Model):
    """The distances of the model's controls to a reconstruction, without controls that are copies of its original."""

    edges: Annotated[list[float], Field(description="Edges of bins of one width, from 0 to the largest distance.")]
    counts: Annotated[list[int], Field(description="The number of controls in each bin.")]


class ScoredPairBesideControls(ScoredPair):
    """The numbers of one pair, for a request with the header X-Semsim-Controls: histogram."""

    controls_histogram: Annotated[ControlsHistogram | None, Field(description="Null where chance is.")]


class FailedPair(_Model):
    """A pair that was not scored."""

    id: str | None
    error: Problem


class ScoreResponse(_Model):
    """One result for each pair, in the order of the request."""

    model: ModelId
    results: list[ScoredPair | ScoredPairBesideControls | FailedPair]
    summary: Summary


class ProviderInfo(_Model):
    """The execution provider in use, and the reasons why those before it in the order are not in use."""

    active: Provider
    missing: dict[Provider, str]
    onnxruntime: str
    arithmetic: Arithmetic
    """How the provider computes what the graph has in single precision."""


class ModelInfo(_Model):
    """The answer of ``GET /model``."""

    service_version: str
    manifest: Manifest
    provider: ProviderInfo
    lpips: Annotated[
        ModelId | None, Field(description="The LPIPS network of the service; null where results have no lpips.")
    ]
    limits: Limits
