from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_RECOGNIZABLE: _ClassVar[Verdict]
    VERDICT_NOT_RECOGNIZABLE: _ClassVar[Verdict]
    VERDICT_FAILED: _ClassVar[Verdict]
    VERDICT_UNINFORMATIVE: _ClassVar[Verdict]
    VERDICT_UNCALIBRATED: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
VERDICT_RECOGNIZABLE: Verdict
VERDICT_NOT_RECOGNIZABLE: Verdict
VERDICT_FAILED: Verdict
VERDICT_UNINFORMATIVE: Verdict
VERDICT_UNCALIBRATED: Verdict

class ScoreRequest(_message.Message):
    __slots__ = ("pairs", "original", "batch", "controls")
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[Pair]
    original: Image
    batch: RawBatch
    controls: bool
    def __init__(self, pairs: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., original: _Optional[_Union[Image, _Mapping]] = ..., batch: _Optional[_Union[RawBatch, _Mapping]] = ..., controls: _Optional[bool] = ...) -> None: ...

class Pair(_message.Message):
    __slots__ = ("id", "original", "reconstruction")
    ID_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    RECONSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    original: Image
    reconstruction: Image
    def __init__(self, id: _Optional[str] = ..., original: _Optional[_Union[Image, _Mapping]] = ..., reconstruction: _Optional[_Union[Image, _Mapping]] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("encoded", "raw")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    encoded: bytes
    raw: RawImage
    def __init__(self, encoded: _Optional[bytes] = ..., raw: _Optional[_Union[RawImage, _Mapping]] = ...) -> None: ...

class RawImage(_message.Message):
    __slots__ = ("pixels", "height", "width")
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    pixels: bytes
    height: int
    width: int
    def __init__(self, pixels: _Optional[bytes] = ..., height: _Optional[int] = ..., width: _Optional[int] = ...) -> None: ...

class RawBatch(_message.Message):
    __slots__ = ("originals", "reconstructions", "ids")
    ORIGINALS_FIELD_NUMBER: _ClassVar[int]
    RECONSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    originals: RawImages
    reconstructions: RawImages
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, originals: _Optional[_Union[RawImages, _Mapping]] = ..., reconstructions: _Optional[_Union[RawImages, _Mapping]] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RawImages(_message.Message):
    __slots__ = ("pixels", "count", "height", "width")
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    pixels: bytes
    count: int
    height: int
    width: int
    def __init__(self, pixels: _Optional[bytes] = ..., count: _Optional[int] = ..., height: _Optional[int] = ..., width: _Optional[int] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("model", "results", "summary")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    model: ModelId
    results: _containers.RepeatedCompositeFieldContainer[PairResult]
    summary: Summary
    def __init__(self, model: _Optional[_Union[ModelId, _Mapping]] = ..., results: _Optional[_Iterable[_Union[PairResult, _Mapping]]] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ...) -> None: ...

class PairResult(_message.Message):
    __slots__ = ("id", "scored", "error", "verdict")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    id: str
    scored: ScoredPair
    error: Error
    verdict: Verdict
    def __init__(self, id: _Optional[str] = ..., scored: _Optional[_Union[ScoredPair, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, str]] = ...) -> None: ...

class ScoredPair(_message.Message):
    __slots__ = ("distance", "leakage", "recognizable", "mse", "psnr", "ssim", "resized", "uninformative", "chance", "identified", "leakage_low", "leakage_high", "lpips")
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    LEAKAGE_FIELD_NUMBER: _ClassVar[int]
    RECOGNIZABLE_FIELD_NUMBER: _ClassVar[int]
    MSE_FIELD_NUMBER: _ClassVar[int]
    PSNR_FIELD_NUMBER: _ClassVar[int]
    SSIM_FIELD_NUMBER: _ClassVar[int]
    RESIZED_FIELD_NUMBER: _ClassVar[int]
    UNINFORMATIVE_FIELD_NUMBER: _ClassVar[int]
    CHANCE_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIED_FIELD_NUMBER: _ClassVar[int]
    LEAKAGE_LOW_FIELD_NUMBER: _ClassVar[int]
    LEAKAGE_HIGH_FIELD_NUMBER: _ClassVar[int]
    LPIPS_FIELD_NUMBER: _ClassVar[int]
    distance: float
    leakage: float
    recognizable: bool
    mse: float
    psnr: float
    ssim: float
    resized: bool
    uninformative: str
    chance: float
    identified: bool
    leakage_low: float
    leakage_high: float
    lpips: float
    def __init__(self, distance: _Optional[float] = ..., leakage: _Optional[float] = ..., recognizable: _Optional[bool] = ..., mse: _Optional[float] = ..., psnr: _Optional[float] = ..., ssim: _Optional[float] = ..., resized: _Optional[bool] = ..., uninformative: _Optional[str] = ..., chance: _Optional[float] = ..., identified: _Optional[bool] = ..., leakage_low: _Optional[float] = ..., leakage_high: _Optional[float] = ..., lpips: _Optional[float] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("pairs", "failed", "max_leakage", "mean_leakage", "recognizable", "uninformative", "identified")
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    MAX_LEAKAGE_FIELD_NUMBER: _ClassVar[int]
    MEAN_LEAKAGE_FIELD_NUMBER: _ClassVar[int]
    RECOGNIZABLE_FIELD_NUMBER: _ClassVar[int]
    UNINFORMATIVE_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIED_FIELD_NUMBER: _ClassVar[int]
    pairs: int
    failed: int
    max_leakage: float
    mean_leakage: float
    recognizable: int
    uninformative: int
    identified: int
    def __init__(self, pairs: _Optional[int] = ..., failed: _Optional[int] = ..., max_leakage: _Optional[float] = ..., mean_leakage: _Optional[float] = ..., recognizable: _Optional[int] = ..., uninformative: _Optional[int] = ..., identified: _Optional[int] = ...) -> None: ...

class ModelId(_message.Message):
    __slots__ = ("name", "version", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    sha256: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class ScoreStreamRequest(_message.Message):
    __slots__ = ("sequence", "request")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    request: ScoreRequest
    def __init__(self, sequence: _Optional[int] = ..., request: _Optional[_Union[ScoreRequest, _Mapping]] = ...) -> None: ...

class ScoreStreamResponse(_message.Message):
    __slots__ = ("sequence", "response", "error", "retry_after_seconds", "timings")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    response: ScoreResponse
    error: Error
    retry_after_seconds: int
    timings: Timings
    def __init__(self, sequence: _Optional[int] = ..., response: _Optional[_Union[ScoreResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., retry_after_seconds: _Optional[int] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("decode_seconds", "queue_seconds", "inference_seconds")
    DECODE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    decode_seconds: float
    queue_seconds: float
    inference_seconds: float
    def __init__(self, decode_seconds: _Optional[float] = ..., queue_seconds: _Optional[float] = ..., inference_seconds: _Optional[float] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model", "service_version", "manifest_json", "provider", "limits", "lpips")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_JSON_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    LPIPS_FIELD_NUMBER: _ClassVar[int]
    model: ModelId
    service_version: str
    manifest_json: str
    provider: ExecutionProvider
    limits: Limits
    lpips: ModelId
    def __init__(self, model: _Optional[_Union[ModelId, _Mapping]] = ..., service_version: _Optional[str] = ..., manifest_json: _Optional[str] = ..., provider: _Optional[_Union[ExecutionProvider, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., lpips: _Optional[_Union[ModelId, _Mapping]] = ...) -> None: ...

class ExecutionProvider(_message.Message):
    __slots__ = ("active", "missing", "onnxruntime", "arithmetic")
    class MissingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_FIELD_NUMBER: _ClassVar[int]
    ARITHMETIC_FIELD_NUMBER: _ClassVar[int]
    active: str
    missing: _containers.ScalarMap[str, str]
    onnxruntime: str
    arithmetic: str
    def __init__(self, active: _Optional[str] = ..., missing: _Optional[_Mapping[str, str]] = ..., onnxruntime: _Optional[str] = ..., arithmetic: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("pairs", "body_bytes", "image_bytes", "image_pixels", "request_pixels")
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_PIXELS_FIELD_NUMBER: _ClassVar[int]
    pairs: int
    body_bytes: int
    image_bytes: int
    image_pixels: int
    request_pixels: int
    def __init__(self, pairs: _Optional[int] = ..., body_bytes: _Optional[int] = ..., image_bytes: _Optional[int] = ..., image_pixels: _Optional[int] = ..., request_pixels: _Optional[int] = ...) -> None: ...
