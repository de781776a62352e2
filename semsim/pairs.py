"""The decoding of pairs: where an image is bad, only its pair fails."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypeGuard, TypeVar

import numpy as np

from semsim.exceptions import (
    EmptyImage,
    ErrorCode,
    ImageTooSmall,
    InvalidArray,
    InvalidImage,
    InvalidPair,
    RequestError,
)
from semsim.images import DecodeLimits, RGBImage, Source, decode
from semsim.images.limits import DEFAULT_LIMITS
from semsim.pixel_metrics import SSIM_WINDOW
from semsim.progress import Progress, silent

_log = logging.getLogger(__name__)

_Score = TypeVar("_Score")
_Listed = TypeVar("_Listed")

_SHEET = 1.9
"""A sheet of two square pictures with a border around each is this much longer than high."""


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
    progress: Progress = silent,
) -> DecodedPairs:
    """Decode (original, reconstruction) pairs; what is no pair, and a pair with an unusable image, fails alone.

    A pair that failed before, such as one that a transport could not read, keeps its place and its failure.
    A source that is given again (one original with many reconstructions) is decoded once. ``max_total_pixels``
    limits the pixels of all distinct images, for memory, and those of all pairs at their originals' sizes, for work.
    Past either, the remaining pairs fail, and nothing more is decoded.
    """
    reader = PairReader(lambda source: decode(source, limits=limits), max_total_pixels)
    result = DecodedPairs()
    for index, pair in enumerate(pairs):
        outcome = pair if isinstance(pair, PairFailure) else reader.read_pair(pair)
        if isinstance(outcome, PairFailure):
            result.failures[index] = outcome
        else:
            result.indices.append(index)
            result.originals.append(outcome[0])
            result.reconstructions.append(outcome[1])
        progress("decoding", index + 1, len(pairs))
    return result


def merge_outcomes(
    count: int, indices: Sequence[int], scores: Sequence[_Score], failures: Mapping[int, PairFailure]
) -> list[_Score | PairFailure]:
    """The outcomes of ``count`` pairs in their order: scores of those at ``indices``, and the others' failures."""
    outcomes: dict[int, _Score | PairFailure] = {**failures, **dict(zip(indices, scores, strict=True))}
    return [outcomes[index] for index in range(count)]


class PairReader:
    """Decodes pairs one by one, each source once, within a limit of pixels for all sources together.

    Args:
        decode: decodes one source. A RequestError of its own, by which somebody ends the work, goes through.
        most: the most pixels that are decoded, and those of all pairs at their originals' sizes; None = no limit.
        most_kept: the most pixels of decoded images that are held. Past it the one that was unused for longest goes; if
            it comes again, it is decoded again, and counts again.
    """

    def __init__(self, decode: Callable[[Any], RGBImage], most: int | None, most_kept: int | None = None) -> None:
        self._decode = decode
        self._most = math.inf if most is None else most
        self._most_kept = math.inf if most_kept is None else most_kept
        self._too_many = PairFailure(
            ErrorCode.TOO_MANY_PIXELS, f"expected at most {most} pixels in all the images together, got more"
        )
        # Failures, not errors: the traceback of an error would hold this frame, and with it all images. Sources are
        # held, too: the next one would have the address of one that is gone, which is its key.
        self._decoded: dict[object, tuple[object, RGBImage | PairFailure]] = {}
        self._read_pixels = self._kept = self._compared = 0

    def read_pair(self, pair: Any) -> tuple[RGBImage, RGBImage] | PairFailure:
        """The decoded original and reconstruction of a pair, or the reason why there are none."""
        if not is_pair(pair):
            return PairFailure(ErrorCode.INVALID_PAIR, f"expected a pair (original, reconstruction), got {_kind(pair)}")
        original, reconstruction = pair
        first = self._read(original)
        if isinstance(first, PairFailure):
            return PairFailure(first.code, f"original: {first.message}")
        second = self._read(reconstruction)
        if isinstance(second, PairFailure):
            return PairFailure(second.code, f"reconstruction: {second.message}")
        try:
            require_comparable(first, second)
        except InvalidPair as error:
            return PairFailure(error.code, str(error))
        # A small reconstruction is enlarged to its original, and many may have the same large original.
        self._compared += _pixels(first)
        return self._too_many if self._compared > self._most else (first, second)

    def _read(self, source: Source) -> RGBImage | PairFailure:
        key = source_key(source)
        if key in self._decoded:
            self._decoded[key] = self._decoded.pop(key)  # the last one of the dictionary is the last one used
            return self._decoded[key][1]
        if self._read_pixels >= self._most:
            return self._too_many
        outcome = self._outcome(source)
        self._decoded[key] = source, outcome
        pixels = _pixels(outcome)
        self._read_pixels += pixels
        self._kept += pixels
        while self._kept > self._most_kept:
            self._kept -= _pixels(self._decoded.pop(next(iter(self._decoded)))[1])
        return outcome

    def _outcome(self, source: Source) -> RGBImage | PairFailure:
        try:
            return require_scorable(self._decode(source))
        except InvalidImage as error:
            return PairFailure(error.code, str(error))
        except RequestError:  # nobody waits for this pair or any other
            raise
        except Exception as error:  # noqa: BLE001  # a source has code of its own; the other pairs count
            _log.exception("an image could not be decoded")
            return PairFailure(ErrorCode.INTERNAL, f"expected to decode the image, got {type(error).__name__}")


def is_pair(value: Any) -> bool:
    """True for two values in a sequence or an array, but for text and bytes."""
    if isinstance(value, str | bytes | bytearray | memoryview):  # "ab" is no pair of "a" and "b"
        return False
    return (isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)) and len(value) == 2


def _pixels(image: RGBImage | PairFailure) -> int:
    if isinstance(image, PairFailure):
        return 0
    height, width, _ = image.shape
    return int(height * width)


def source_key(source: object) -> object:
    """A key that is equal for equal bytes and equal paths; a source that can change is equal to itself alone.

    Subclasses have comparisons of their own, and are equal to themselves alone, too.
    """
    if type(source) in (bytes, str):
        return source
    return str(source) if isinstance(source, PurePath) else id(source)


def _kind(value: object) -> str:
    """The type of a value that is no pair or no image, with its length or its shape."""
    name = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} of shape {value.shape}"
    return f"a {name} of length {len(value)}" if isinstance(value, Sequence) else name


def require_decoded(image: RGBImage) -> RGBImage:
    """Return ``image`` if it is what :func:`semsim.images.decode` makes: uint8 ``(H, W, 3)``.

    Raises:
        InvalidArray: it is something else.
        EmptyImage: it has no pixels.
    """
    if not _is_decoded(image):
        raise InvalidArray(
            f"expected a uint8 array (H, W, 3), got {_kind(image)}; semsim.images.decode makes one of encoded bytes, "
            "a path or another array"
        )
    if not image.size:
        raise EmptyImage(f"expected at least 1x1 pixels, got {image.shape[1]}x{image.shape[0]}")
    return image


def decode_each(
    sources: Iterable[Source],
    change: Callable[[RGBImage], RGBImage] = lambda image: image,
    progress: Progress = silent,
) -> Iterator[RGBImage]:
    """Decode sources one after the other, and yield what ``change`` makes of each.

    A source that is given again is decoded once, and a decoded image is taken as it is, whatever its size. Where
    ``change`` makes images smaller, large ones are not held.

    Raises:
        InvalidPair: there is no sequence of sources.
        InvalidImage: a source cannot be decoded.
    """
    everything = listed(sources, "images")
    made: dict[object, RGBImage] = {}
    for done, source in enumerate(everything, start=1):
        key = source_key(source)
        if key not in made:
            made[key] = change(require_decoded(source if _is_decoded(source) else decode(source)))
        progress("decoding", done, len(everything))
        yield made[key]


def _is_decoded(image: object) -> TypeGuard[RGBImage]:
    return isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def require_scorable(image: RGBImage) -> RGBImage:
    """Return ``image`` if it is decoded, and large enough for SSIM.

    Raises:
        InvalidArray: it is no uint8 array ``(H, W, 3)``.
        ImageTooSmall: a side under 7 pixels.
    """
    if min(require_decoded(image).shape[:2]) < SSIM_WINDOW:
        raise ImageTooSmall(f"expected sides of at least {SSIM_WINDOW} pixels, got {image.shape[1]}x{image.shape[0]}")
    return image


def require_comparable(original: RGBImage, reconstruction: RGBImage) -> None:
    """Refuse a reconstruction that is drawn out beside its original: a sheet of several, of which none would be seen.

    Squares of long originals pass, since most networks take squares.

    Raises:
        InvalidPair: the reconstruction is about twice as long or as high as the original's shape allows, or more.
    """
    (height, width, _), (wanted_height, wanted_width, _) = reconstruction.shape, original.shape
    stretched = width * wanted_height / (height * wanted_width)
    if max(stretched, 1 / stretched) >= _SHEET and max(width / height, height / width) >= _SHEET:
        raise InvalidPair(
            f"expected one reconstruction of about the shape of its original, {wanted_width}x{wanted_height}, got "
            f"{width}x{height}: a sheet of several pictures is to be cut first"
        )


def listed(values: Iterable[_Listed], content: str) -> list[_Listed]:
    """The values as a list. It holds each of them while addresses tell them apart: an array makes new rows each time.

    Raises:
        InvalidPair: they are no sequence; ``content`` says of what.
    """
    if isinstance(values, str | bytes | bytearray | memoryview) or not isinstance(values, Iterable):
        raise InvalidPair(f"expected a sequence of {content}, got {type(values).__name__}")
    return list(values)
