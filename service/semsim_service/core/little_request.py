"""A request whose pairs are so little work that they are scored together with those of others."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from semsim.images import RGBImage
from semsim.scorer import PairScore
from semsim_service.core.waking import wake


@dataclass(slots=True, eq=False)
class LittleRequest:
    """The decoded pairs of one request. Who scores them fills in the rest."""

    originals: Sequence[RGBImage]
    reconstructions: Sequence[RGBImage]
    controls: bool
    histogram: bool
    future: "asyncio.Future[None] | None" = None
    """Done when the scores are there; None where nobody in this process waits for them."""
    number: int = 0
    """Its name between two processes."""
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
    sent: float = 0.0
    """The time when it went to another process, seconds of ``time.monotonic``."""

    @property
    def images(self) -> int:
        """The number of its images."""
        return 2 * len(self.originals)

    @property
    def pixels(self) -> int:
        """The pixels of its images."""
        return sum(image.size // 3 for image in (*self.originals, *self.reconstructions))


def wake_callers(requests: Sequence[LittleRequest], error: Exception | None) -> None:
    """Let the callers of requests of one event loop go on, or fail with the error. Any thread may call this."""
    wake([request.future for request in requests if request.future is not None], error)
