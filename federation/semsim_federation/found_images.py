"""Everything that the attacks of one audit rebuilt, beside the client's images and the controls."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semsim.controls import Controls, distances
from semsim.images import decode
from semsim.pairs import PairFailure
from semsim.scorer import Scorer
from semsim_federation.report import ImageLeakage

LUCKY = 0.01
"""The share of batches of unrelated images in which one may be identified by luck."""


@dataclass(slots=True, eq=False)
class FoundImages:
    """The reconstructions of one client's images, which grow with each attack."""

    scorer: Scorer
    controls: Controls
    threshold: float | None
    originals: NDArray[np.uint8]
    """The client's images, ``(N, H, W, C)``."""
    _reconstructions: list[NDArray[np.uint8]] = field(default_factory=list)
    _attacks: list[str] = field(default_factory=list)
    _embeddings: list[NDArray[np.float32]] = field(default_factory=list)
    _embedded: NDArray[np.float32] | None = None

    def add(self, attack: str, reconstructions: NDArray[np.uint8]) -> None:
        """Add an attack's reconstructions, uint8 ``(M, H, W, C)``."""
        self._reconstructions.extend(reconstructions)
        self._attacks.extend([attack] * len(reconstructions))
        self._embeddings.append(self.scorer.embed([decode(image) for image in reconstructions]))

    def leakages(self) -> tuple[ImageLeakage, ...]:
        """Each original beside the reconstruction that is nearest to it by the SemSim distance.

        An attacker tells no order, so that the nearest counts, of all attacks. The best of many is near by luck, too:
        the chance is the share of controls whose own nearest reconstruction is as near, and an image is identified
        where it is below 1% divided by the number of originals (Bonferroni).
        """
        if not self._reconstructions:
            return (ImageLeakage(None, None, None, False, False, None, None, ""),) * len(self.originals)
        if self._embedded is None:
            self._embedded = self.scorer.embed([decode(image) for image in self.originals])
        found = np.concatenate(self._embeddings)
        apart = distances(self._embedded, found)
        nearest = apart.argmin(axis=1)
        lucky = np.sort(self.controls.distances(found).min(axis=0))
        chances = np.searchsorted(lucky, apart.min(axis=1), side="right") / len(lucky)
        scores = self.scorer.score_pairs(
            [(image, self._reconstructions[at]) for image, at in zip(self.originals, nearest, strict=True)]
        )
        return tuple(
            self._leakage(score, float(chance), self._attacks[at], float(distance))
            for score, chance, at, distance in zip(scores, chances, nearest, apart.min(axis=1), strict=True)
        )

    def _leakage(self, score: object, chance: float, attack: str, distance: float) -> ImageLeakage:
        identified = chance < LUCKY / len(self.originals)
        if isinstance(score, PairFailure):
            return ImageLeakage(None, None, chance, identified, False, distance, None, attack)
        leakage = score.leakage
        recognizable = None if leakage is None or self.threshold is None else leakage >= self.threshold
        leaked = bool(recognizable) and identified
        return ImageLeakage(leakage, recognizable, chance, identified, leaked, distance, score.psnr, attack)
