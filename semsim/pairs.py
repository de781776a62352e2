"""The decoding of pairs: where an image is bad, only its pair fails."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from semsim.exceptions import ErrorCode, ImageTooSmall, InvalidImage
from semsim.images import DecodeLimits, RGBImage, Source, decode
from semsim.images.decode import DEFAULT_LIMITS
from semsim.pixel_metrics import SSIM_WINDOW

_Score = TypeVar("_Score")


@dataclass(frozen=True, slots=True)
class PairFailure:
    """The reason why one pair was not scored."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class DecodedPairs:
    """The pairs that could be decoded, each with its index among the given pairs, and the failures of the others."""

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

    A pair that failed before, such as one that a transport could not read, keeps its place and its failure.
    A source that is given again (one original with many reconstructions) is decoded once. ``max_total_pixels``
    limits the pixels of all distinct images, for memory, and those of all pairs at their originals' sizes, for work.
    Past either, the remaining pairs fail, and nothing more is decoded.
    """
    reader = _Reader(limits, max_total_pixels)
    result = DecodedPairs()
    for index, pair in enumerate(pairs):
        outcome = pair if isinstance(pair, PairFailure) else reader.read_pair(*pair)
        if isinstance(outcome, PairFailure):
            result.failures[index] = outcome
        else:
            result.indices.append(index)
            result.originals.append(outcome[0])
            result.reconstructions.append(outcome[1])
    return result


def merge_outcomes(
    count: int, indices: Sequence[int], scores: Sequence[_Score], failures: Mapping[int, PairFailure]
) -> list[_Score | PairFailure]:
    """The outcomes of ``count`` pairs in their order: scores of those at ``indices``, and the others' failures."""
    outcomes: dict[int, _Score | PairFailure] = {**failures, **dict(zip(indices, scores, strict=True))}
    return [outcomes[index] for index in range(count)]


class _Reader:
    """Decodes each source once, within a limit of pixels for all sources together."""

    def __init__(self, limits: DecodeLimits, most: int | None) -> None:
        self._limits = limits
        self._most = math.inf if most is None else most
        self._too_many = PairFailure(
            ErrorCode.TOO_MANY_PIXELS, f"expected at most {most} pixels in all the images together, got more"
        )
        # Failures, not errors: the traceback of an error would hold this frame, and with it all images.
        self._decoded: dict[object, RGBImage | PairFailure] = {}
        self._held = self._compared = 0

    def read_pair(self, original: Source, reconstruction: Source) -> tuple[RGBImage, RGBImage] | PairFailure:
        first = self._read(original)
        if isinstance(first, PairFailure):
            return PairFailure(first.code, f"original: {first.message}")
        second = self._read(reconstruction)
        if isinstance(second, PairFailure):
            return PairFailure(second.code, f"reconstruction: {second.message}")
        # A small reconstruction is enlarged to its original, and many may have the same large original.
        self._compared += _pixels(first)
        return self._too_many if self._compared > self._most else (first, second)

    def _read(self, source: Source) -> RGBImage | PairFailure:
        key = _key(source)
        if key not in self._decoded:
            if self._held >= self._most:
                return self._too_many
            try:
                image = require_scorable(decode(source, limits=self._limits))
            except InvalidImage as error:
                self._decoded[key] = PairFailure(error.code, str(error))
            else:
                self._held += _pixels(image)
                self._decoded[key] = image
        return self._decoded[key]


def _pixels(image: RGBImage) -> int:
    height, width, _ = image.shape
    return int(height * width)


def _key(source: Source) -> object:
    """A key that is equal for equal bytes and equal paths; a source that can change is equal to itself alone."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return id(source)


def require_scorable(image: RGBImage) -> RGBImage:
    """Return ``image`` if it is large enough for SSIM.

    Raises:
        ImageTooSmall: a side under 7 pixels.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ImageTooSmall(f"expected sides of at least {SSIM_WINDOW} pixels, got {image.shape[1]}x{image.shape[0]}")
    return image
