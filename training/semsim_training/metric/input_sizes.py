"""The loss of large pictures at a small input: photographs of faces and degraded copies of these, at several sizes.

The networks are untouched, so that they differ in their input alone; each is calibrated on the judged reconstructions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from semsim.bulk.matching import find_images
from semsim.chance import IDENTIFIED, ControlEmbeddings
from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage, decode, resize_batch
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.calibration_fit import calibrate
from semsim_training.metric.embedding_distances import embed, majority_auc, measure
from semsim_training.metric.metric_recipe import MetricRecipe
from semsim_training.metric.metric_training import build_embedding_network

CONTROLS, ORIGINALS = 200, 100
_ORDER_SEED, _NOISE_SEED = 0, 1
_APART = 40
"""Photographs that are so far apart in Caltech-101's Faces, where those of a person follow each other, are of two
persons."""


def _noisy(image: RGBImage, sigma: float) -> RGBImage:
    noise = np.random.default_rng(_NOISE_SEED).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _blurred(image: RGBImage, share: int) -> RGBImage:
    sigma = max(image.shape[:2]) / share
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def _small(image: RGBImage, side: int) -> RGBImage:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


DEGRADED: dict[str, Callable[[RGBImage], RGBImage]] = {
    "under noise, sigma 40": lambda image: _noisy(image, 40),
    "under noise, sigma 120": lambda image: _noisy(image, 120),
    "blurred, sigma 1/32 of the longer side": lambda image: _blurred(image, 32),
    "blurred, sigma 1/16 of the longer side": lambda image: _blurred(image, 16),
    "64 pixels on the longer side": lambda image: _small(image, 64),
    "32 pixels on the longer side": lambda image: _small(image, 32),
    "16 pixels on the longer side": lambda image: _small(image, 16),
}
"""Degraded copies of a photograph, by what they are."""
STRANGER = "another person's photograph"


@dataclass(frozen=True, slots=True)
class InputSize:
    """The leakage and identification of faces at one input size."""

    side: int
    auc: float
    """The AUC over the judged reconstructions by which the network was calibrated."""
    leakage: dict[str, float]
    """The mean leakage by kind of reconstruction."""
    identified: dict[str, float]
    """The share of originals that are identified beside 200 other faces, by kind of reconstruction."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Photographs of faces, in a random order: 200 controls and then 100 originals, each with reconstructions."""

    controls: Sequence[RGBImage]
    originals: Sequence[RGBImage]
    reconstructions: dict[str, Sequence[RGBImage]]
    """The reconstruction of each original, by kind."""

    @classmethod
    def read(cls, folder: Path) -> "Faces":
        """Read the photographs of a folder.

        Raises:
            InvalidDataset: there are fewer than 300.
        """
        paths = find_images(folder)
        if len(paths) < CONTROLS + ORIGINALS:
            raise InvalidDataset(
                f"expected at least {CONTROLS + ORIGINALS} photographs below {folder}, got {len(paths)}"
            )
        order = np.random.default_rng(_ORDER_SEED).permutation(len(paths))
        images = [decode(folder / path) for path in paths]
        chosen = order[CONTROLS : CONTROLS + ORIGINALS]
        originals = [images[place] for place in chosen]
        made: dict[str, Sequence[RGBImage]] = {
            kind: [change(original) for original in originals] for kind, change in DEGRADED.items()
        }
        # A shift by the distance of two persons, round the end, gives every original another person's photograph.
        made[STRANGER] = [images[(place + max(_APART, len(images) // 2)) % len(images)] for place in chosen]
        return cls([images[place] for place in order[:CONTROLS]], originals, made)


def measure_input_size(recipe: MetricRecipe, side: int, judged: JudgedSet, faces: Faces, base: Path) -> InputSize:
    """Measure the untouched network of ``recipe`` with inputs of ``side`` pixels, calibrated on ``judged``.

    Raises:
        InvalidCheckpoint: there is no such architecture, or there are no such weights.
        InvalidAnnotations: there are too few originals to calibrate on.
    """
    network = build_embedding_network(recipe.model_copy(update={"size": side}), 0, base).eval()
    sized = SizedSet.of(judged, side)
    distances = measure(network, sized)
    calibration = calibrate(distances, judged.shares, sized.original_of).calibration
    controls = ControlEmbeddings.of(_embedded(network, faces.controls, side), graph_sha256="")
    originals, rows = _embedded(network, faces.originals, side), np.arange(len(faces.originals))
    leakage, identified = {}, {}
    for kind, images in faces.reconstructions.items():
        made = _embedded(network, images, side)
        gaps = np.linalg.norm(originals.astype(np.float64) - made, axis=1)
        chances = controls.chances(np.concatenate([originals, made]), rows, rows + len(rows), gaps)
        leakage[kind] = float(calibration.leakage(gaps).mean())
        identified[kind] = float((chances[~np.isnan(chances)] < IDENTIFIED).mean())
    return InputSize(side, majority_auc(judged, distances), leakage, identified)


def input_sizes_table(sizes: Sequence[InputSize]) -> str:
    """The leakage and the share of identified originals at each input size, as a Markdown table."""
    heads = [f"input {one.side}: {what}" for one in sizes for what in ("mean leakage", "identified")]
    lines = [f"| the reconstruction is | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for kind in sizes[0].leakage:
        cells = [f"{one.leakage[kind]:.2f} | {one.identified[kind]:.0%}" for one in sizes]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines.append("")
    aucs = ", ".join(f"{one.auc:.3f} at {one.side}" for one in sizes)
    lines.append(
        f"On the judged reconstructions of validation, of 32 and 64 pixels, these networks have an AUC of {aucs}."
    )
    return "\n".join(lines)


def _embedded(network: EmbeddingNetwork, images: Sequence[RGBImage], side: int) -> NDArray[np.float32]:
    return embed(network, resize_batch(images, side, side)).astype(np.float32)
