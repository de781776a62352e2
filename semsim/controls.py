"""Public images beside which a likeness must stand out.

A generic reconstruction is near to many images, and the best of many is near by luck: among 16 unrelated images of
CIFAR-10 one is nearly always as near to a reconstruction as a leak. Controls are public images of the same kind. An
image is identified where it is nearer to its reconstruction than nearly all controls are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidConfiguration
from semsim.images import RGBImage
from semsim.scorer import Scorer

FEWEST = 100
"""The fewest controls, with which a chance below 1% can be told."""
IDENTIFIED = 0.01
"""The chance below which an image is identified."""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """The embeddings of K public images, ``(K, D)``.

    Raises:
        InvalidConfiguration: there are fewer than 100, or they are no finite numbers ``(K, D)``.
    """

    embeddings: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or not np.isfinite(self.embeddings).all():
            raise InvalidConfiguration(f"expected finite embeddings (K, D), got shape {self.embeddings.shape}")
        if len(self.embeddings) < FEWEST:
            raise InvalidConfiguration(
                f"expected at least {FEWEST} controls, so that a chance of {IDENTIFIED:.0%} can be told, got "
                f"{len(self.embeddings)}"
            )

    @classmethod
    def of(cls, scorer: Scorer, images: Iterable[RGBImage]) -> Self:
        """The controls of public images, uint8 ``(H, W, 3)``; equal images count once.

        Raises:
            InvalidConfiguration: there are fewer than 100 different images.
        """
        different = {(image.shape, image.tobytes()): image for image in images}
        if len(different) < FEWEST:
            raise InvalidConfiguration(f"expected at least {FEWEST} different controls, got {len(different)}")
        return cls(scorer.embed(different.values()))

    def __len__(self) -> int:
        return len(self.embeddings)

    def distances(self, reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
        """The distances ``(N, K)`` of reconstructions' embeddings ``(N, D)`` from the controls'."""
        return distances(reconstructions, self.embeddings)

    def chance(self, reconstructions: NDArray[np.float32], distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of controls ``(N,)`` that are nearer to a reconstruction than its original is.

        Args:
            reconstructions: the embeddings of N reconstructions, ``(N, D)``.
            distances: the distance of each from its original, ``(N,)``.
        """
        return np.asarray((self.distances(reconstructions) < distances[:, None]).mean(axis=1))

    def identified(self, reconstructions: NDArray[np.float32], distances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """True ``(N,)`` where under 1% of controls are nearer to the reconstruction than its original is."""
        return self.chance(reconstructions, distances) < IDENTIFIED


def distances(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """The L2 distances ``(N, K)`` of embeddings ``(N, D)`` from embeddings ``(K, D)``, in float64."""
    wide = others.astype(np.float64)
    return np.stack([np.linalg.norm(wide - one, axis=1) for one in some.astype(np.float64)])
