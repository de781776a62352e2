"""The metric: pairs of images to distance, leakage and the pixel metrics.

SemSim is the L2 distance between the embeddings of an original and of its reconstruction (Sun et al., "Privacy
Assessment on Reconstructed Images: Are Existing Evaluation Metrics Faithful to Human Perception?", NeurIPS 2023).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.artifact import Artifact
from semsim.chance import IDENTIFIED, ControlEmbeddings
from semsim.distinct import distinct
from semsim.embedder import Embedder
from semsim.exceptions import InvalidGraph
from semsim.images import DecodeLimits, RGBImage, Source, resize, resize_batch
from semsim.images.limits import DEFAULT_LIMITS
from semsim.lpips_artifact import LpipsArtifact
from semsim.lpips_network import SMALLEST_LPIPS_SIDE, LpipsNetwork
from semsim.manifest import Manifest
from semsim.pair_score import PairScore as PairScore
from semsim.pairs import (
    PairFailure,
    decode_each,
    decode_pairs,
    listed,
    merge_outcomes,
    require_comparable,
    require_scorable,
)
from semsim.pixel_metrics import PixelMetrics, pixel_metrics
from semsim.progress import Progress, silent
from semsim.providers import ProviderReport, ProviderSettings
from semsim.stages import Pause, Stage, StageClock, go_on
from semsim.uninformative import Uninformative, settled, uninformative_pairs

DEFAULT_BATCH_SIZE = 16
"""Images in one run of the graph. A CPU gains nothing from more, since their activations leave its cache."""


@dataclass(frozen=True, slots=True)
class PreparedPairs:
    """N pairs before the network runs; their full-size images are not held."""

    images: NDArray[np.uint8]
    """The U <= 2 N distinct images at the network's size, ``(U, H, W, 3)``, RGB, 0..255."""
    originals: NDArray[np.intp]
    """The row in ``images`` of each pair's original, ``(N,)``."""
    reconstructions: NDArray[np.intp]
    """The row in ``images`` of each pair's reconstruction, ``(N,)``."""
    pixels: PixelMetrics
    uninformative: list[Uninformative | None]
    """For each of the N pairs the reason why nothing can be told, before its leakage is known."""


class Scorer:
    """Scores pairs of images with a model artifact. Threads may share it.

    Args:
        artifact: the directory of the artifact, None for the bundled one, or a loaded artifact.
        providers: the execution providers to try, with their options.
        batch_size: the images in one run of the graph.
        controls: True for the artifact's own public images, False for none, or at least 100 images of your own, of the
            kind of the originals and of any sizes: what is nearer to a reconstruction than they are is
            identified.
        lpips: the directory of an LPIPS artifact, which ``semsim export-lpips`` makes, or a loaded one; None for none.

    Raises:
        ArtifactError: an artifact is missing or invalid, or its graph is not the one that its manifest describes.
        ProviderUnavailable: a required execution provider is not usable here.
        InvalidConfiguration: there are fewer than 100 different controls.
    """

    def __init__(
        self,
        artifact: Artifact | Path | str | None = None,
        *,
        providers: ProviderSettings | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        controls: Iterable[Source] | bool = True,
        lpips: LpipsArtifact | Path | str | None = None,
    ) -> None:
        loaded = artifact if isinstance(artifact, Artifact) else Artifact.load(artifact)
        self.artifact = loaded
        self.manifest: Manifest = loaded.manifest
        self.batch_size = batch_size
        self._embedder = Embedder(
            loaded.graph,
            self.manifest.input,
            self.manifest.embedding.dimension,
            providers or ProviderSettings(),
            batch_size,
        )
        self.lpips: LpipsNetwork | None = None
        """The network of LPIPS; None where none is computed."""
        if lpips is not None:
            of_lpips = lpips if isinstance(lpips, LpipsArtifact) else LpipsArtifact.load(lpips)
            self.lpips = LpipsNetwork(of_lpips, providers or ProviderSettings())
        self.controls: ControlEmbeddings | None = None
        """The public images beside which reconstructions are identified."""
        if not isinstance(controls, bool):
            images = iter(controls)
            parts = [self.embed(some) for some in iter(lambda: list(islice(images, batch_size)), [])]
            embeddings = np.concatenate([np.empty((0, self.manifest.embedding.dimension), np.float32), *parts])
            self.controls = ControlEmbeddings.of(embeddings, self.manifest.graph.sha256)
        elif controls:
            self.controls = loaded.controls

    @property
    def provider(self) -> ProviderReport:
        """The execution provider that runs the graph, and the reasons why others do not."""
        return self._embedder.provider

    def score(self, original: Source, reconstruction: Source) -> PairScore:
        """Score one pair.

        Raises:
            InvalidImage: one of the two images cannot be decoded or is too small.
            InvalidPair: the reconstruction is a sheet of several.
        """
        return self.score_images([original], [reconstruction])[0]

    def score_pairs(
        self,
        pairs: Iterable[tuple[Source, Source]],
        *,
        limits: DecodeLimits = DEFAULT_LIMITS,
        clock: StageClock | None = None,
        progress: Progress = silent,
    ) -> list[PairScore | PairFailure]:
        """Score many pairs; what is no pair, or cannot be decoded, fails alone, at its own index.

        A source that is given again is decoded once. ``progress`` is told of decoded pairs, then of embedded images.

        Raises:
            InvalidPair: ``pairs`` is no sequence of pairs.
        """
        pairs = listed(pairs, "(original, reconstruction) pairs")
        clock = clock or StageClock()
        with clock.measure(Stage.DECODE):
            decoded = decode_pairs(pairs, limits=limits, progress=progress)
        scores = self.score_images(decoded.originals, decoded.reconstructions, clock=clock, progress=progress)
        return merge_outcomes(len(pairs), decoded.indices, scores, decoded.failures)

    def score_images(
        self,
        originals: Iterable[Source],
        reconstructions: Iterable[Source],
        *,
        clock: StageClock | None = None,
        progress: Progress = silent,
    ) -> list[PairScore]:
        """Score N originals, of any sizes, with as many reconstructions.

        Each distinct image is resized and embedded once: one original with k reconstructions costs k + 1.

        Raises:
            ValueError: there are not as many originals as reconstructions.
            InvalidPair: there is no sequence of images, or a reconstruction is a sheet of several.
            InvalidImage: an image cannot be decoded, or a side of it is under 7 pixels.
        """
        left, right = list(decode_each(originals)), list(decode_each(reconstructions))
        if len(left) != len(right):
            raise ValueError(f"expected as many reconstructions as originals, got {len(right)}, {len(left)}")
        if not left:
            return []
        clock = clock or StageClock()
        prepared = self.prepare(left, right, clock=clock)
        with clock.measure(Stage.NETWORK):
            embeddings = self._embedder.embed(prepared.images, progress)
        return self.combine(prepared, embeddings)

    def prepare(
        self,
        originals: Sequence[RGBImage],
        reconstructions: Sequence[RGBImage],
        *,
        clock: StageClock | None = None,
        pause: Pause = go_on,
    ) -> PreparedPairs:
        """Do the part of :meth:`score_images` before the network: pixel metrics, and the resizing of distinct images.

        ``pause`` is called between two pieces of the work.

        Raises:
            InvalidPair: a reconstruction is a sheet of several.
            InvalidArray: an image is no uint8 array ``(H, W, 3)``.
            ImageTooSmall: a side is under 7 pixels.
        """
        for image in (*originals, *reconstructions):
            require_scorable(image)
        for pair in zip(originals, reconstructions, strict=True):
            require_comparable(*pair)
        clock = clock or StageClock()
        # The images go pair by pair, so that a batch of the first images completes the first pairs.
        alternating = [image for pair in zip(originals, reconstructions, strict=True) for image in pair]
        with clock.measure(Stage.RESIZE):
            pause()
            rows, images = self._resize(alternating)
            pause()
            uninformative = uninformative_pairs(originals, reconstructions, rows, images, self.manifest.input.filter)
        with clock.measure(Stage.METRICS):
            pixels = pixel_metrics(originals, reconstructions, lpips=self.lpips, pause=pause)
        return PreparedPairs(images, rows[0::2], rows[1::2], pixels, uninformative)

    def embed_prepared(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings float32 ``(U, D)`` of images that have the network's size already, ``(U, H, W, 3)``."""
        return self._embedder.embed(images)

    def combine(
        self, prepared: PreparedPairs, embeddings: NDArray[np.float32], *, controls: bool = True
    ) -> list[PairScore]:
        """Do the part of :meth:`score_images` after the network, with embeddings ``(U, D)`` of ``prepared.images``.

        Without ``controls`` nothing is identified.

        Raises:
            InvalidGraph: an embedding of a pair is not finite: its distance would count as not recognizable.
        """
        wide = embeddings.astype(np.float64)
        distances = np.linalg.norm(wide[prepared.originals] - wide[prepared.reconstructions], axis=1)
        if not np.isfinite(distances).all():
            raise InvalidGraph("expected finite embeddings, got NaN or infinity")
        leakages = self.leakage(distances)
        ranges = None if leakages is None else self._ranges(distances, leakages)
        chances = None
        if controls and self.controls is not None:
            chances = self.controls.chances(embeddings, prepared.originals, prepared.reconstructions, distances)
        threshold = self.manifest.threshold
        verdicts = (
            [None] * len(distances) if leakages is None or threshold is None else (leakages >= threshold).tolist()
        )
        rows = (prepared.originals, prepared.reconstructions)
        pixels = prepared.pixels
        scores = []
        for i, uninformative in enumerate(settled(prepared.uninformative, verdicts, prepared.images, *rows)):
            leakage, recognizable = None if leakages is None else float(leakages[i]), verdicts[i]
            chance = None if uninformative or chances is None or np.isnan(chances[i]) else float(chances[i])
            scores.append(
                PairScore(
                    distance=float(distances[i]),
                    leakage=None if uninformative else leakage,
                    recognizable=None if uninformative else recognizable,
                    mse=float(pixels.mse[i]),
                    psnr=float(pixels.psnr[i]),
                    ssim=float(pixels.ssim[i]),
                    resized=bool(pixels.resized[i]),
                    uninformative=uninformative,
                    chance=chance,
                    identified=None if chance is None else chance < IDENTIFIED,
                    leakage_low=None if uninformative or ranges is None else float(ranges[0][i]),
                    leakage_high=None if uninformative or ranges is None else float(ranges[1][i]),
                    lpips=None if np.isnan(pixels.lpips[i]) else float(pixels.lpips[i]),
                )
            )
        return scores

    def _ranges(
        self, distances: NDArray[np.float64], leakages: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The ranges ``(N,)`` of leakages, which hold them; None where the model keeps no draws of its calibration."""
        if self.manifest.calibration_draws is None:
            return None
        low, high = self.manifest.calibration_draws.leakage_range(distances)
        return np.minimum(low, leakages), np.maximum(high, leakages)

    def embed(
        self, images: Iterable[Source], *, clock: StageClock | None = None, progress: Progress = silent
    ) -> NDArray[np.float32]:
        """Embeddings float32 ``(N, D)`` of N images of any sizes; equal ones are embedded once.

        One file at a time is held at its full size. ``progress`` is told of decoded images, then of embedded ones.

        Raises:
            InvalidPair: there is no sequence of images.
            InvalidImage: an image cannot be decoded.
        """
        clock, spec = clock or StageClock(), self.manifest.input
        with clock.measure(Stage.RESIZE):
            small = decode_each(images, lambda one: resize(one, spec.height, spec.width, spec.filter), progress)
            rows, batch = self._resize(list(small))
        with clock.measure(Stage.NETWORK):
            return self._embedder.embed(batch, progress)[rows]

    def _resize(self, images: Sequence[RGBImage]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """The row of each image among the distinct images, and the distinct images at the network's size."""
        spec = self.manifest.input
        rows, unique = distinct(images)
        return np.array(rows, dtype=np.intp), resize_batch(unique, spec.height, spec.width, spec.filter)

    def warm_up(self) -> None:
        """Run the network on one image and on a full batch, so that engines are built and memory is allocated.

        LPIPS runs on one pair, so that a graph of it that cannot run is told before any pair waits for it.
        """
        spec = self.manifest.input
        for count in (1, self.batch_size):
            self._embedder.embed(np.zeros((count, spec.height, spec.width, 3), dtype=np.uint8))
        if self.lpips is not None:
            blank = np.zeros((1, SMALLEST_LPIPS_SIDE, SMALLEST_LPIPS_SIDE, 3), dtype=np.uint8)
            self.lpips.distances(blank, blank)

    def leakage(self, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """The calibrated leakage ``(N,)`` of distances ``(N,)``; None where the artifact carries no calibration."""
        calibration = self.manifest.calibration
        return None if calibration is None else calibration.leakage(distances)
