"""The one exception tree of the project.

Every error carries a stable :class:`~semsim.error_codes.ErrorCode`, the same over the command line, HTTP and gRPC,
and a message that says what was expected and what came. A message never holds image content.
"""

from typing import ClassVar

from semsim.error_codes import ErrorCode as ErrorCode


class SemSimError(Exception):
    """Root of the tree; ``code`` is stable, ``str(error)`` is for people."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class InvalidImage(SemSimError):
    """An image that cannot be scored; the subclasses say why."""

    code = ErrorCode.CORRUPT_IMAGE


class EmptyImage(InvalidImage):
    """No bytes, or a side of zero pixels."""

    code = ErrorCode.EMPTY_IMAGE


class NotAnImage(InvalidImage):
    """The bytes are of no image format known here."""

    code = ErrorCode.NOT_AN_IMAGE


class UnsupportedFormat(InvalidImage):
    """An image, but not PNG, JPEG or WebP."""

    code = ErrorCode.UNSUPPORTED_FORMAT


class TruncatedImage(InvalidImage):
    """The file ends before the image does."""

    code = ErrorCode.TRUNCATED_IMAGE


class CorruptImage(InvalidImage):
    """The file is complete but cannot be decoded."""

    code = ErrorCode.CORRUPT_IMAGE


class SixteenBitImage(InvalidImage):
    """More than 8 bits a channel: rounding it silently would change the metric."""

    code = ErrorCode.SIXTEEN_BIT_IMAGE


class CMYKImage(InvalidImage):
    """A print colour space, whose conversion to RGB depends on an ink profile."""

    code = ErrorCode.CMYK_IMAGE


class AnimatedImage(InvalidImage):
    """More than one frame: which one is the image?"""

    code = ErrorCode.ANIMATED_IMAGE


class TooManyBytes(InvalidImage):
    """The encoded image is larger than the limit."""

    code = ErrorCode.TOO_MANY_BYTES


class TooManyPixels(InvalidImage):
    """The decoded image would be larger than the limit (a decompression bomb)."""

    code = ErrorCode.TOO_MANY_PIXELS


class ImageTooSmall(InvalidImage):
    """Smaller than the 7x7 window of SSIM."""

    code = ErrorCode.IMAGE_TOO_SMALL


class InvalidArray(InvalidImage):
    """An array that is not uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""

    code = ErrorCode.INVALID_ARRAY


class InvalidTensor(InvalidImage):
    """A float tensor that cannot be turned into images."""

    code = ErrorCode.INVALID_TENSOR


class UnreadableFile(InvalidImage):
    """An image path that cannot be read."""

    code = ErrorCode.UNREADABLE_FILE


class InvalidBase64(InvalidImage):
    """Text that is not base64."""

    code = ErrorCode.INVALID_BASE64


class InvalidPair(SemSimError):
    """A pair whose two images cannot be told apart from the rest of the request."""

    code = ErrorCode.INVALID_PAIR


class UnmatchedImages(SemSimError):
    """Originals and reconstructions that cannot be paired."""

    code = ErrorCode.UNMATCHED_IMAGES


class ArtifactError(SemSimError):
    """A model artifact that cannot be used; the subclasses say why."""

    code = ErrorCode.INVALID_MANIFEST


class ArtifactNotFound(ArtifactError):
    """No such directory, or a file of it is missing."""

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
    """Leakage was asked of an artifact that carries no calibration."""

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
    """A victim classifier that cannot be built, or that an attack cannot take."""

    code = ErrorCode.INVALID_VICTIM


class InvalidUpdate(SemSimError):
    """A client's update that does not fit its victim, or the attack that it is given to."""

    code = ErrorCode.INVALID_UPDATE


class InvalidConfiguration(SemSimError):
    """A configuration of victims, defenses or attacks that does not fit the schema or contradicts itself."""

    code = ErrorCode.INVALID_CONFIGURATION


class InvalidDataset(SemSimError):
    """Images or reconstructions that cannot be used as a data set."""

    code = ErrorCode.INVALID_DATASET


class InvalidAnnotations(SemSimError):
    """Judgements that are incomplete, given twice, or of unknown items, classes or annotators."""

    code = ErrorCode.INVALID_ANNOTATIONS


class InvalidOption(SemSimError):
    """A command-line option or a setting that cannot be used."""

    code = ErrorCode.INVALID_OPTION


class MissingExtra(SemSimError):
    """A command or format whose optional dependencies are not installed."""

    code = ErrorCode.MISSING_EXTRA


class RequestError(SemSimError):
    """A request refused as a whole; the subclasses say why."""

    code = ErrorCode.INVALID_REQUEST


class InvalidRequest(RequestError):
    """The request does not fit the schema."""

    code = ErrorCode.INVALID_REQUEST


class TooManyPairs(RequestError):
    """More pairs than one request may carry."""

    code = ErrorCode.TOO_MANY_PAIRS


class BodyTooLarge(RequestError):
    """A request body over the limit."""

    code = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaType(RequestError):
    """A Content-Type that the endpoint does not take."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class NotReady(RequestError):
    """The model is not loaded and warm yet."""

    code = ErrorCode.NOT_READY


class Unauthenticated(RequestError):
    """No bearer token, or not the service's."""

    code = ErrorCode.UNAUTHENTICATED


class NotFound(RequestError):
    """A path, model or version that is not served."""

    code = ErrorCode.NOT_FOUND


class RequestTimeout(RequestError):
    """No answer within the request's time."""

    code = ErrorCode.TIMEOUT


class RequestCancelled(RequestError):
    """The caller went before the answer was there."""

    code = ErrorCode.CANCELLED


class Overloaded(RequestError):
    """The queue is full: come again after ``retry_after`` seconds."""

    code = ErrorCode.OVERLOADED

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
