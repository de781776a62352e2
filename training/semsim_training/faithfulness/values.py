"""Computes metrics of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidOption
from semsim.images import RGBImage, resize
from semsim.pixel_metrics import pixel_metrics
from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.faithfulness.study import ANNOTATORS
from semsim_training.judged.pair import Pair
from semsim_training.reference_metrics.lpips import InputRange, Lpips
from semsim_training.statistics.intervals import Floats

ALWAYS = ("mse", "psnr", "ssim")
"""The metrics that need nothing but the images, in the order in which they are computed."""
LPIPS_64 = "lpips_64"
"""LPIPS in the published range of both images stretched to 64 pixels a side, as is common for images of 32."""
_SIDE = 64
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """The metrics to compute beside those that are always computed."""

    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """The directories of model artifacts whose distances are wanted, by the name of the metric."""
    lpips: Path | None = None
    """The weights of LPIPS, where it is wanted, at the images' own size and at 64 pixels."""
    input_ranges: tuple[InputRange, ...] = (InputRange.PUBLISHED,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics, in the order in which they are computed."""
        of_lpips = () if self.lpips is None else (*self.input_ranges, LPIPS_64)
        return (*ALWAYS, *map(str, of_lpips), *self.artifacts)


def compute_metrics(pairs: Sequence[Pair], wanted: Wanted, progress: Progress = silent) -> tuple[Metric, ...]:
    """The metrics ``ALWAYS`` of each pair, LPIPS where its weights are given, and the distance of each artifact.

    A reconstruction of another size than its original is resized to it (bicubic), except for artifacts, which have a
    size of their own. LPIPS is taken at the originals' sizes, and as ``lpips_64`` of both images at 64 pixels.

    Raises:
        InvalidOption: an artifact with the name of another metric.
        ImageTooSmall: an image too small for a metric.
        ArtifactError, InvalidCheckpoint: an artifact or weights that cannot be used.
    """
    taken = {ANNOTATORS, *ALWAYS, *InputRange, LPIPS_64}
    clash = sorted(taken & set(wanted.artifacts))
    if clash:
        raise InvalidOption(f"expected --artifact with another name than {', '.join(sorted(taken))}, got {clash[0]}")
    scorers = {name: Scorer(path) for name, path in wanted.artifacts.items()}
    networks = [] if wanted.lpips is None else [Lpips(wanted.lpips, one) for one in wanted.input_ranges]
    originals = [pair.original() for pair in pairs]
    reconstructions = [pair.reconstruction() for pair in pairs]
    pixels = pixel_metrics(originals, reconstructions)
    metrics = [
        Metric("mse", Direction.DOWN, pixels.mse),
        Metric("psnr", Direction.UP, pixels.psnr),
        Metric("ssim", Direction.UP, pixels.ssim),
    ]
    for network in networks:
        values = _lpips(network.input_range.value, network, originals, reconstructions, progress)
        metrics.append(Metric(network.input_range.value, Direction.DOWN, values))
    if wanted.lpips is not None:
        left, right = ([resize(image, _SIDE, _SIDE) for image in side] for side in (originals, reconstructions))
        values = _lpips(LPIPS_64, Lpips(wanted.lpips), left, right, progress)
        metrics.append(Metric(LPIPS_64, Direction.DOWN, values))
    for name, scorer in scorers.items():
        values = _distances(name, scorer, originals, reconstructions, progress)
        metrics.append(Metric(name, Direction.DOWN, values))
    return tuple(metrics)


def _lpips(
    name: str, network: Lpips, originals: list[RGBImage], reconstructions: list[RGBImage], progress: Progress
) -> Floats:
    values = np.empty(len(originals))
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, original in enumerate(originals):
        by_shape.setdefault(original.shape, []).append(row)
    done = 0
    for (height, width, _), rows in by_shape.items():
        for part in _parts(rows):
            left = np.stack([originals[row] for row in part])
            right = np.stack([resize(reconstructions[row], height, width) for row in part])
            values[part] = network.distances(left, right)
            done += len(part)
            progress(name, done, len(originals))
    return values


def _distances(
    name: str, scorer: Scorer, originals: list[RGBImage], reconstructions: list[RGBImage], progress: Progress
) -> Floats:
    values = np.empty(len(originals))
    # Equal images are embedded once within a part: one original's reconstructions belong together.
    rows = sorted(range(len(originals)), key=lambda row: originals[row].tobytes())
    done = 0
    for part in _parts(rows):
        both = scorer.embed([*(originals[row] for row in part), *(reconstructions[row] for row in part)])
        left, right = np.split(both.astype(np.float64), 2)
        values[part] = np.linalg.norm(left - right, axis=1)
        done += len(part)
        progress(name, done, len(rows))
    return values


def _parts(rows: list[int]) -> list[list[int]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
