"""Pairs of encoded images to pairs of arrays, one bad pair at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from semsim.exceptions import ErrorCode, ImageTooSmall, InvalidImage
from semsim.images import DecodeLimits, RGBImage, Source, decode
from semsim.images.decode import DEFAULT_LIMITS
from semsim.pixel_metrics import SSIM_WINDOW


@dataclass(frozen=True, slots=True)
class PairFailure:
    """Why one pair was not scored."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class DecodedPairs:
    """The pairs that could be decoded, by their index among those given, and the failures of the others."""

    indices: list[int] = field(default_factory=list)
    originals: list[RGBImage] = field(default_factory=list)
    reconstructions: list[RGBImage] = field(default_factory=list)
    failures: dict[int, PairFailure] = field(default_factory=dict)


def decode_pairs(
    pairs: Sequence[tuple[Source, Source] | PairFailure],
    *,
    limits: DecodeLimits = DEFAULT_LIMITS,
    max_total_pixels: int | None = None,
) -> DecodedPairs:
    """Decode (original, reconstruction) pairs; a pair with an unusable image fails alone.

    A pair that failed before, such as one a transport could not read, keeps its place and its failure.
    A source that is given again (one original with many reconstructions) is decoded once. Nothing more is
    decoded once ``max_total_pixels`` are in memory: the pairs that are left fail.
    """
    # Of a bad source its failure, not the error: its traceback would hold this frame, and the frame all images.
    decoded: dict[object, RGBImage | PairFailure] = {}
    total = 0

    def read(source: Source) -> RGBImage | PairFailure:
        nonlocal total
        key = _key(source)
        if key not in decoded:
            if max_total_pixels is not None and total >= max_total_pixels:
                message = f"expected at most {max_total_pixels} pixels in all the images together, got more"
                return PairFailure(ErrorCode.TOO_MANY_PIXELS, message)
            try:
                image = require_scorable(decode(source, limits=limits))
            except InvalidImage as error:
                decoded[key] = PairFailure(error.code, str(error))
            else:
                total += image.shape[0] * image.shape[1]
                decoded[key] = image
        return decoded[key]

    result = DecodedPairs()
    for index, pair in enumerate(pairs):
        if isinstance(pair, PairFailure):
            result.failures[index] = pair
            continue
        images: list[RGBImage] = []
        for role, source in zip(("original", "reconstruction"), pair, strict=True):
            outcome = read(source)
            if isinstance(outcome, PairFailure):
                result.failures[index] = PairFailure(outcome.code, f"{role}: {outcome.message}")
                break
            images.append(outcome)
        else:
            result.indices.append(index)
            result.originals.append(images[0])
            result.reconstructions.append(images[1])
    return result


def _key(source: Source) -> object:
    """Equal for equal bytes and paths; what can change under our hands is told apart by identity."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return id(source)


def require_scorable(image: RGBImage) -> RGBImage:
    """``image`` itself, if SSIM can be taken of it.

    Raises:
        ImageTooSmall: a side under 7 pixels.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ImageTooSmall(f"expected sides of at least {SSIM_WINDOW} pixels, got {image.shape[1]}x{image.shape[0]}")
    return image
