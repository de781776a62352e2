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
from semsim.pairs import PairFailure, decode_pairs, merge_outcomes, require_scorable
from semsim.pixel_metrics import PixelMetrics, pixel_metrics
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


@dataclass(frozen=True, slots=True)
class PreparedPairs:
    """N pairs with everything done but the network; their full-size images are not held."""

    images: NDArray[np.uint8]
    """The U <= 2 N distinct images at the network's size, ``(U, H, W, 3)``, RGB, 0..255."""
    originals: NDArray[np.intp]
    """For each pair the row of its original in ``images``, ``(N,)``."""
    reconstructions: NDArray[np.intp]
    """For each pair the row of its reconstruction in ``images``, ``(N,)``."""
    pixels: PixelMetrics


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
        self.batch_size = batch_size
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
        return merge_outcomes(decoded.indices, scores, decoded.failures)

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
        clock = clock or StageClock()
        prepared = self.prepare(originals, reconstructions, clock=clock)
        with clock.measure(Stage.NETWORK):
            embeddings = self.embed_prepared(prepared.images)
        return self.combine(prepared, embeddings)

    def prepare(
        self,
        originals: Sequence[RGBImage],
        reconstructions: Sequence[RGBImage],
        *,
        clock: StageClock | None = None,
    ) -> PreparedPairs:
        """The part of :meth:`score_images` before the network: pixel metrics, and distinct images resized.

        Raises:
            ImageTooSmall: a side under 7 pixels.
        """
        for image in (*originals, *reconstructions):
            require_scorable(image)
        clock = clock or StageClock()
        # Pair by pair, so that a batch which holds the first images also completes the first pairs.
        alternating = [image for pair in zip(originals, reconstructions, strict=True) for image in pair]
        with clock.measure(Stage.RESIZE):
            rows, images = self._resize(alternating)
        with clock.measure(Stage.METRICS):
            pixels = pixel_metrics(originals, reconstructions)
        return PreparedPairs(images, rows[0::2], rows[1::2], pixels)

    def embed_prepared(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings float32 ``(U, D)`` of images that have the network's size already, ``(U, H, W, 3)``."""
        return self._embedder.embed(images)

    def combine(self, prepared: PreparedPairs, embeddings: NDArray[np.float32]) -> list[PairScore]:
        """The part of :meth:`score_images` after the network, from the embeddings ``(U, D)`` of ``prepared.images``."""
        wide = embeddings.astype(np.float64)
        distances = np.linalg.norm(wide[prepared.originals] - wide[prepared.reconstructions], axis=1)
        leakages = self.leakage(distances)
        threshold = self.manifest.threshold
        pixels = prepared.pixels
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
            for i in range(len(distances))
        ]

    def embed(self, images: Sequence[RGBImage], *, clock: StageClock | None = None) -> NDArray[np.float32]:
        """Embeddings float32 ``(N, D)`` of N images of any sizes; equal images are embedded once."""
        clock = clock or StageClock()
        with clock.measure(Stage.RESIZE):
            rows, batch = self._resize(images)
        with clock.measure(Stage.NETWORK):
            return self._embedder.embed(batch)[rows]

    def _resize(self, images: Sequence[RGBImage]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """For each image its row among the distinct ones, and those at the network's size."""
        spec = self.manifest.input
        rows, unique = _unique(images)
        return np.array(rows, dtype=np.intp), resize_batch(unique, spec.height, spec.width, spec.filter)

    def warm_up(self) -> None:
        """Run the network once alone and once with a full batch, so that engines are built and memory is there."""
        spec = self.manifest.input
        for count in (1, self.batch_size):
            self._embedder.embed(np.zeros((count, spec.height, spec.width, 3), dtype=np.uint8))

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Calibrated leakage ``(N,)`` of distances ``(N,)``; None when the artifact carries no calibration."""
        calibration = self.manifest.calibration
        return None if calibration is None else calibration.leakage(distances)


def _unique(images: Sequence[RGBImage]) -> tuple[list[int], list[RGBImage]]:
    """For each image its row among the distinct ones, and those. By content, exactly: no hash to collide."""
    rows_by_object: dict[int, int] = {}
    rows_by_content: dict[tuple[tuple[int, ...], bytes], int] = {}
    unique: list[RGBImage] = []
    rows = []
    for image in images:
        row = rows_by_object.get(id(image))
        if row is None:
            row = rows_by_content.setdefault((image.shape, image.tobytes()), len(unique))
            rows_by_object[id(image)] = row
            if row == len(unique):
                unique.append(image)
        rows.append(row)
    return rows, unique
