"""The one exception tree of the project.

Every error carries a stable :class:`~semsim.error_codes.ErrorCode`, the same over the command line, HTTP and gRPC,
and a message that says what was expected and what came. A message never holds image content.
"""

from typing import ClassVar

from semsim.error_codes import ErrorCode as ErrorCode


class SemSimError(Exception):
    """The root of the tree; ``code`` is stable, ``str(error)`` is for people."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class InvalidImage(SemSimError):
    """An image cannot be scored; the subclasses say why."""

    code = ErrorCode.CORRUPT_IMAGE


class EmptyImage(InvalidImage):
    """The image has no bytes, a side of zero pixels, or nothing that is visible."""

    code = ErrorCode.EMPTY_IMAGE


class NotAnImage(InvalidImage):
    """The bytes are of no known image format."""

    code = ErrorCode.NOT_AN_IMAGE


class UnsupportedFormat(InvalidImage):
    """The image is of another format than PNG, JPEG and WebP."""

    code = ErrorCode.UNSUPPORTED_FORMAT


class TruncatedImage(InvalidImage):
    """The file ends before the image does."""

    code = ErrorCode.TRUNCATED_IMAGE


class CorruptImage(InvalidImage):
    """The file is complete but cannot be decoded."""

    code = ErrorCode.CORRUPT_IMAGE


class SixteenBitImage(InvalidImage):
    """The image has more than 8 bits a channel: to round them silently would change the metric."""

    code = ErrorCode.SIXTEEN_BIT_IMAGE


class CMYKImage(InvalidImage):
    """The image has the colours of print, whose conversion to RGB depends on an ink profile."""

    code = ErrorCode.CMYK_IMAGE


class AnimatedImage(InvalidImage):
    """The image has several frames, and nothing says which one to score."""

    code = ErrorCode.ANIMATED_IMAGE


class TooManyBytes(InvalidImage):
    """The encoded image is larger than the limit."""

    code = ErrorCode.TOO_MANY_BYTES


class TooManyPixels(InvalidImage):
    """The decoded image would be larger than the limit, as that of a decompression bomb."""

    code = ErrorCode.TOO_MANY_PIXELS


class ImageTooSmall(InvalidImage):
    """The image is smaller than the 7x7 window of SSIM."""

    code = ErrorCode.IMAGE_TOO_SMALL


class InvalidArray(InvalidImage):
    """The image is neither bytes nor a path, and no uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""

    code = ErrorCode.INVALID_ARRAY


class InvalidTensor(InvalidImage):
    """The tensor cannot be turned into images."""

    code = ErrorCode.INVALID_TENSOR


class UnreadableFile(InvalidImage):
    """The file of an image cannot be read."""

    code = ErrorCode.UNREADABLE_FILE


class InvalidBase64(InvalidImage):
    """The text is not base64."""

    code = ErrorCode.INVALID_BASE64


class InvalidPair(SemSimError):
    """A pair of a request is incomplete or malformed."""

    code = ErrorCode.INVALID_PAIR


class UnmatchedImages(SemSimError):
    """Originals and reconstructions cannot be paired."""

    code = ErrorCode.UNMATCHED_IMAGES


class ArtifactError(SemSimError):
    """A model artifact cannot be used; the subclasses say why."""

    code = ErrorCode.INVALID_MANIFEST


class ArtifactNotFound(ArtifactError):
    """The artifact's directory or a file in it is missing."""

    code = ErrorCode.ARTIFACT_NOT_FOUND


class InvalidManifest(ArtifactError):
    """``manifest.json`` does not fit the schema."""

    code = ErrorCode.INVALID_MANIFEST


class HashMismatch(ArtifactError):
    """The graph is not the one that the manifest describes."""

    code = ErrorCode.HASH_MISMATCH


class InvalidGraph(ArtifactError):
    """The graph does not take or give what the manifest says."""

    code = ErrorCode.INVALID_GRAPH


class NotCalibrated(ArtifactError):
    """The artifact carries no calibration, and leakage was asked for."""

    code = ErrorCode.NOT_CALIBRATED


class ProviderUnavailable(SemSimError):
    """A required execution provider is not usable on this machine."""

    code = ErrorCode.PROVIDER_UNAVAILABLE


class InvalidCheckpoint(SemSimError):
    """A checkpoint or its description cannot be used."""

    code = ErrorCode.INVALID_CHECKPOINT


class ParityFailed(SemSimError):
    """An exported graph does not agree with the network it came from."""

    code = ErrorCode.PARITY_FAILED


class InvalidVictim(SemSimError):
    """A victim cannot be built, or an attack cannot take it."""

    code = ErrorCode.INVALID_VICTIM


class InvalidUpdate(SemSimError):
    """A client's update does not fit its victim, or the attack that it is given to."""

    code = ErrorCode.INVALID_UPDATE


class InvalidConfiguration(SemSimError):
    """A configuration does not fit its schema, or contradicts itself."""

    code = ErrorCode.INVALID_CONFIGURATION


class InvalidDataset(SemSimError):
    """Images or reconstructions cannot be used as a data set."""

    code = ErrorCode.INVALID_DATASET


class InvalidAnnotations(SemSimError):
    """Judgements are incomplete, given twice, or of unknown items, classes or annotators."""

    code = ErrorCode.INVALID_ANNOTATIONS


class InvalidOption(SemSimError):
    """An option of a command or a setting cannot be used."""

    code = ErrorCode.INVALID_OPTION


class MissingExtra(SemSimError):
    """The packages that a command or a format needs are not installed."""

    code = ErrorCode.MISSING_EXTRA


class RequestError(SemSimError):
    """A request is refused as a whole; the subclasses say why."""

    code = ErrorCode.INVALID_REQUEST


class InvalidRequest(RequestError):
    """The request does not fit the schema."""

    code = ErrorCode.INVALID_REQUEST


class TooManyPairs(RequestError):
    """The request carries more pairs than the limit."""

    code = ErrorCode.TOO_MANY_PAIRS


class BodyTooLarge(RequestError):
    """The body of the request is larger than the limit."""

    code = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaType(RequestError):
    """The endpoint does not take this Content-Type."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class NotReady(RequestError):
    """The model is not loaded and warm yet."""

    code = ErrorCode.NOT_READY


class Unauthenticated(RequestError):
    """The request has no bearer token, or another one than the service's."""

    code = ErrorCode.UNAUTHENTICATED


class Forbidden(RequestError):
    """The request names a host, or comes from a web page, that the service is not for."""

    code = ErrorCode.FORBIDDEN


class NotFound(RequestError):
    """The path, model or version is not served."""

    code = ErrorCode.NOT_FOUND


class RequestTimeout(RequestError):
    """The request had no answer within its time."""

    code = ErrorCode.TIMEOUT


class RequestCancelled(RequestError):
    """The caller left before the answer was ready."""

    code = ErrorCode.CANCELLED


class Overloaded(RequestError):
    """The queue is full; the caller may come again after ``retry_after`` seconds."""

    code = ErrorCode.OVERLOADED

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServiceFault(RequestError):
    """The service has a fault; its log has the trace."""

    code = ErrorCode.INTERNAL


class WorkerLost(SemSimError):
    """A process or an actor that scores died: its pairs have no result, and another run may score them."""

    code = ErrorCode.INTERNAL


class ServiceUnreachable(SemSimError):
    """A client cannot reach its service, or loses the connection again and again."""

    code = ErrorCode.UNREACHABLE


class InvalidAnswer(SemSimError):
    """An answer of a service is not what was asked for: another number of pairs, other ids or another model."""

    code = ErrorCode.INVALID_ANSWER
