"""Where decoded pairs become numbers. The core knows this protocol; batching across callers goes behind it."""

from asyncio import get_running_loop
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from semsim.images import RGBImage
from semsim.manifest import Manifest
from semsim.providers import ProviderReport
from semsim.scorer import PairScore, Scorer
from semsim.stages import StageClock


class Backend(Protocol):
    """Scores decoded pairs with one model."""

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        ...

    @property
    def provider(self) -> ProviderReport:
        """The execution provider in use."""
        ...

    async def score(
        self, originals: Sequence[RGBImage], reconstructions: Sequence[RGBImage], clock: StageClock
    ) -> list[PairScore]:
        """The scores of N pairs, in order."""
        ...


class LocalBackend:
    """Runs a :class:`semsim.Scorer` in this process, one request at a time, off the event loop."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        # One at a time: the graph already uses every core, and two runs would only share its cache.
        # What has begun goes on when its request times out, and the next one waits for it.
        self._thread = ThreadPoolExecutor(1, "score")

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self._scorer.manifest

    @property
    def provider(self) -> ProviderReport:
        """The execution provider in use."""
        return self._scorer.provider

    async def score(
        self, originals: Sequence[RGBImage], reconstructions: Sequence[RGBImage], clock: StageClock
    ) -> list[PairScore]:
        """The scores of N pairs, in order."""

        def run() -> list[PairScore]:
            return self._scorer.score_images(originals, reconstructions, clock=clock)

        return await get_running_loop().run_in_executor(self._thread, run)

    def warm_up(self) -> None:
        """Score one batch, so that engines are built and memory is there before the first caller."""
        noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        self._scorer.score_images([noise[0]], [noise[1]])
