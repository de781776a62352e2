"""A request whose pairs are so little work that they are scored together with those of others."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from semsim.images import RGBImage
from semsim.scorer import PairScore


@dataclass(slots=True, eq=False)
class LittleRequest:
    """The decoded pairs of one request. Who scores them fills in the rest."""

    originals: Sequence[RGBImage]
    reconstructions: Sequence[RGBImage]
    controls: bool
    histogram: bool
    future: "asyncio.Future[None]"
    """Done when the scores are there."""
    scores: list[PairScore] = field(default_factory=list)
    waiting_since: float = field(default_factory=time.monotonic)
    began: float = 0.0
    """The time when its group was taken, seconds of ``time.monotonic``."""
    prepare_seconds: float = 0.0
    """The seconds that the pairs of its group took before the network."""
    inference_seconds: float = 0.0
    alone: bool = False
    """True where it failed among others."""
    abandoned: bool = False

    @property
    def images(self) -> int:
        """The number of its images."""
        return 2 * len(self.originals)

    @property
    def pixels(self) -> int:
        """The pixels of its images."""
        return sum(image.size // 3 for image in (*self.originals, *self.reconstructions))
