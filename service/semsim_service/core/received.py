"""The pairs of a request as a transport hands them to the core."""

from collections.abc import Sequence
from dataclasses import dataclass

from semsim.images import RGBImage
from semsim.pairs import PairFailure

ImageInput = bytes | RGBImage
"""An image as it came: encoded as PNG, JPEG or WebP, or raw, uint8 ``(H, W, 3)``."""


@dataclass(frozen=True, slots=True)
class ReceivedPair:
    """A pair as it came, its images encoded or raw."""

    id: str | None
    original: ImageInput
    reconstruction: ImageInput


@dataclass(frozen=True, slots=True)
class RejectedPair:
    """A pair that its transport could not read."""

    id: str | None
    failure: PairFailure


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came."""

    pairs: Sequence[ReceivedPair | RejectedPair]
    controls: bool = True
    """False where the caller does not ask whether a reconstruction is identified."""
    histogram: bool = False
    """True where the caller asks how far the controls are from each reconstruction."""
