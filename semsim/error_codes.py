"""The stable codes of every error, the same over the command line, HTTP and gRPC."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable, machine-readable error codes shared by every transport."""

    # One image
    EMPTY_IMAGE = "empty_image"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED_IMAGE = "truncated_image"
    CORRUPT_IMAGE = "corrupt_image"
    SIXTEEN_BIT_IMAGE = "sixteen_bit_image"
    CMYK_IMAGE = "cmyk_image"
    ANIMATED_IMAGE = "animated_image"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    IMAGE_TOO_SMALL = "image_too_small"
    INVALID_ARRAY = "invalid_array"
    INVALID_TENSOR = "invalid_tensor"
    UNREADABLE_FILE = "unreadable_file"
    INVALID_BASE64 = "invalid_base64"
    # Pairs and directories
    INVALID_PAIR = "invalid_pair"
    UNMATCHED_IMAGES = "unmatched_images"
    # Model artifacts, checkpoints and execution providers
    ARTIFACT_NOT_FOUND = "artifact_not_found"
    INVALID_MANIFEST = "invalid_manifest"
    HASH_MISMATCH = "hash_mismatch"
    INVALID_GRAPH = "invalid_graph"
    NOT_CALIBRATED = "not_calibrated"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    INVALID_CHECKPOINT = "invalid_checkpoint"
    PARITY_FAILED = "parity_failed"
    # Attacks on federated learning
    INVALID_VICTIM = "invalid_victim"
    INVALID_UPDATE = "invalid_update"
    ATTACK_DIVERGED = "attack_diverged"
    INVALID_CONFIGURATION = "invalid_configuration"
    INVALID_DATASET = "invalid_dataset"
    # Annotation and training of the metric
    INVALID_ANNOTATIONS = "invalid_annotations"
    # One request
    INVALID_REQUEST = "invalid_request"
    TOO_MANY_PAIRS = "too_many_pairs"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    OVERLOADED = "overloaded"
    NOT_READY = "not_ready"
    INTERNAL = "internal"
    # A client of the service
    UNREACHABLE = "unreachable"
    INVALID_ANSWER = "invalid_answer"
    # The command line
    INVALID_OPTION = "invalid_option"
    MISSING_EXTRA = "missing_extra"
    SYSTEM_ERROR = "system_error"
