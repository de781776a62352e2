"""The metric: pairs of images to distance, leakage and the pixel metrics.

SemSim (Sun et al., "Privacy Assessment on Reconstructed Images: Are Existing Evaluation Metrics Faithful to
Human Perception?", NeurIPS 2023): the L2 distance between the embeddings of an original and of its
reconstruction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.artifact import Artifact
from semsim.embedder import Embedder
from semsim.images import DecodeLimits, RGBImage, Source, decode, resize_batch
from semsim.images.decode import DEFAULT_LIMITS
from semsim.manifest import Manifest
from semsim.pairs import PairFailure, decode_pairs, require_scorable
from semsim.pixel_metrics import pixel_metrics
from semsim.providers import ProviderReport, ProviderSettings
from semsim.stages import Stage, StageClock

DEFAULT_BATCH_SIZE = 16
"""Images a run of the graph: past this a CPU gains nothing, as the activations leave its cache."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """What one (original, reconstruction) pair scored."""

    distance: float
    """L2 between the embeddings; 0 = same image; lower = more leakage."""
    leakage: float | None
    """Calibrated probability that an annotator recognises the reconstruction; None when not calibrated."""
    recognizable: bool | None
    """``leakage >= threshold``; None when not calibrated."""
    mse: float
    psnr: float
    """dB; infinite for equal images."""
    ssim: float
    resized: bool
    """Whether the reconstruction was resized to the original for mse, psnr and ssim."""


class Scorer:
    """Scores pairs of images with a model artifact. Safe to share between threads.

    Args:
        artifact: a directory, or None for the bundled one.
        providers: which execution providers to try, and how.
        batch_size: images a run of the graph.

    Raises:
        ArtifactError: the artifact is missing, invalid or not the one its manifest describes.
        ProviderUnavailable: a required execution provider is not usable here.
    """

    def __init__(
        self,
        artifact: Path | str | None = None,
        *,
        providers: ProviderSettings | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        loaded = Artifact.load(artifact)
        self.manifest: Manifest = loaded.manifest
        self._embedder = Embedder(
            loaded.graph,
            self.manifest.input,
            self.manifest.embedding.dimension,
            providers or ProviderSettings(),
            batch_size,
        )

    @property
    def provider(self) -> ProviderReport:
        """Which execution provider is in use, and why others are not."""
        return self._embedder.provider

    def score(self, original: Source, reconstruction: Source) -> PairScore:
        """Score one pair.

        Raises:
            InvalidImage: one of the two cannot be decoded or is too small.
        """
        return self.score_images([decode(original)], [decode(reconstruction)])[0]

    def score_pairs(
        self,
        pairs: Sequence[tuple[Source, Source]],
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        clock: StageClock | None = None,
    ) -> list[PairScore | PairFailure]:
        """Score many pairs; a pair that cannot be decoded fails alone, at its own index.

        The same source given again (one original with many reconstructions) is decoded once.
        """
        clock = clock or StageClock()
        with clock.measure(Stage.DECODE):
            decoded = decode_pairs(pairs, limits=limits)
        scores = self.score_images(decoded.originals, decoded.reconstructions, clock=clock)
        results: dict[int, PairScore | PairFailure] = {
            **decoded.failures,
            **dict(zip(decoded.indices, scores, strict=True)),
        }
        return [results[index] for index in range(len(pairs))]

    def score_images(
        self,
        originals: Sequence[RGBImage],
        reconstructions: Sequence[RGBImage],
        *,
        clock: StageClock | None = None,
    ) -> list[PairScore]:
        """Score N pairs of decoded images, uint8 ``(H, W, 3)`` of any sizes.

        Each distinct image is resized and embedded once: one original with k reconstructions costs k + 1.

        Raises:
            ValueError: not as many originals as reconstructions.
            ImageTooSmall: a side under 7 pixels.
        """
        if len(originals) != len(reconstructions):
            raise ValueError(
                f"expected as many reconstructions as originals, got {len(reconstructions)}, {len(originals)}"
            )
        if not originals:
            return []
        for image in (*originals, *reconstructions):
            require_scorable(image)
        clock = clock or StageClock()
        embeddings = self.embed([*originals, *reconstructions], clock=clock).astype(np.float64)
        left, right = np.split(embeddings, 2)
        distances = np.linalg.norm(left - right, axis=1)
        with clock.measure(Stage.METRICS):
            pixels = pixel_metrics(originals, reconstructions)
        leakages = self.leakage(distances)
        threshold = self.manifest.threshold
        return [
            PairScore(
                distance=float(distances[i]),
                leakage=None if leakages is None else float(leakages[i]),
                recognizable=None if leakages is None or threshold is None else bool(leakages[i] >= threshold),
                mse=float(pixels.mse[i]),
                psnr=float(pixels.psnr[i]),
                ssim=float(pixels.ssim[i]),
                resized=bool(pixels.resized[i]),
            )
            for i in range(len(originals))
        ]

    def embed(self, images: Sequence[RGBImage], *, clock: StageClock | None = None) -> NDArray[np.float32]:
        """Embeddings float32 ``(N, D)`` of N images of any sizes; equal images are embedded once."""
        clock = clock or StageClock()
        spec = self.manifest.input
        with clock.measure(Stage.RESIZE):
            rows, unique = _unique(images)
            batch = resize_batch(unique, spec.height, spec.width, spec.filter)
        with clock.measure(Stage.NETWORK):
            return self._embedder.embed(batch)[rows]

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Calibrated leakage ``(N,)`` of distances ``(N,)``; None when the artifact carries no calibration."""
        calibration = self.manifest.calibration
        return None if calibration is None else calibration.leakage(distances)


def _unique(images: Sequence[RGBImage]) -> tuple[list[int], list[RGBImage]]:
    """For each image its row among the distinct ones, and those. By content, exactly: no hash to collide."""
    rows_by_content: dict[tuple[tuple[int, ...], bytes], int] = {}
    unique: list[RGBImage] = []
    rows = []
    for image in images:
        row = rows_by_content.setdefault((image.shape, image.tobytes()), len(unique))
        if row == len(unique):
            unique.append(image)
        rows.append(row)
    return rows, unique
