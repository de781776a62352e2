"""FID, the Fréchet distance between two sets of images.

It follows Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS
2017. The features of both sets are taken for Gaussian, and ``|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))`` is the
square of their 2-Wasserstein distance.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidArray, InvalidDataset
from semsim.scorer import Scorer


class FeatureExtractor(Protocol):
    """Turns images into features. Published FIDs use Inception's pool; another extractor makes another metric."""

    name: str

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features ``(N, D)`` of images uint8 ``(N, H, W, 3)``."""
        ...


class ArtifactFeatures:
    """A feature extractor that takes the embeddings of a model artifact."""

    def __init__(self, artifact: Path) -> None:
        """Open the artifact in the directory ``artifact``.

        Raises:
            ArtifactError: it is missing, invalid, or not the one that its manifest describes.
        """
        self._scorer = Scorer(artifact)
        self.name = f"{self._scorer.manifest.name} {self._scorer.manifest.version}"

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings float32 ``(N, D)`` of images uint8 ``(N, H, W, 3)`` of any size."""
        return self._scorer.embed(list(images))


@dataclass(frozen=True, slots=True)
class FrechetDistance:
    """A distance between two sets, and the images and dimensions that it rests on."""

    value: float
    """>= 0; 0 = same mean and covariance. It depends on the number of images: compare only like with like."""
    images: int
    """The number of images of the smaller set."""
    dimension: int
    """The number of features."""

    @property
    def full_rank(self) -> bool:
        """True where there are enough images for a covariance of full rank; else the distance is biased upwards."""
        return self.images > self.dimension


def fid(
    originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8], extractor: FeatureExtractor
) -> FrechetDistance:
    """FID between two sets of images, uint8 ``(N, H, W, 3)`` and ``(M, H, W, 3)``.

    Raises:
        InvalidDataset: fewer than two images in a set.
    """
    _need_two(len(originals), len(reconstructions))
    return frechet_distance(extractor.features(originals), extractor.features(reconstructions))


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> FrechetDistance:
    """The distance between the Gaussians of two samples, ``(N, D)`` and ``(M, D)``, with sample covariances.

    With the centred samples ``A`` and ``B``, scaled so that ``C1 = A'A`` and ``C2 = B'B``, the trace of
    ``(C1 C2)^(1/2)`` is the sum of the singular values of ``AB'``: no square root of a nearly singular matrix.

    Raises:
        InvalidArray: they are not two samples of one dimension, or not finite.
        InvalidDataset: fewer than two images in a set.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InvalidArray(f"expected features (N, D) and (M, D), got {first.shape} and {second.shape}")
    _need_two(len(first), len(second))
    left, right = first.astype(np.float64), second.astype(np.float64)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise InvalidArray("expected finite features, got NaN or infinity")
    means = left.mean(axis=0) - right.mean(axis=0)
    a, b = _factor(left), _factor(right)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    value = means @ means + np.square(a).sum() + np.square(b).sum() - 2.0 * cross
    return FrechetDistance(max(float(value), 0.0), min(len(left), len(right)), left.shape[1])


def _factor(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix ``F`` of at most D rows with ``F'F`` the covariance of the sample."""
    centred: NDArray[np.float64] = (sample - sample.mean(axis=0)) / np.sqrt(len(sample) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    return np.asarray(np.linalg.qr(centred, mode="r"), dtype=np.float64)


def _need_two(first: int, second: int) -> None:
    if min(first, second) < 2:
        raise InvalidDataset(f"expected at least 2 images in each set for FID, got {first} and {second}")
