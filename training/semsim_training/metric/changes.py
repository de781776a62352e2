"""The leakage of simple changes of originals: nobody judged these, but everybody would know what they show."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from semsim.calibration import Calibration
from semsim_training.configuration import FrozenModel
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.embedding_distances import embed
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import Ranking, auc

MOVED = "moved by a quarter, grey behind"
MIRRORED = "mirrored"
_Change = Callable[[Image.Image], Image.Image]


class Changed(FrozenModel):
    """One change, over all originals."""

    change: str
    leakage: float
    """The median leakage of the changed copies."""
    recognizable: float
    """The share of originals whose changed copy is called recognizable."""


def changed_originals(
    network: EmbeddingNetwork, originals: NDArray[np.uint8], calibration: Calibration, threshold: float
) -> tuple[Changed, ...]:
    """The leakage of each change of ``originals`` ``(M, S, S, 3)``, which have the size of the network's input."""
    changed = []
    for name, distances in _distances(network, originals, tuple(CHANGES)).items():
        leakage = calibration.leakage(distances)
        changed.append(
            Changed(
                change=name,
                leakage=round(float(np.median(leakage)), 4),
                recognizable=round(float((leakage >= threshold).mean()), 4),
            )
        )
    return tuple(changed)


def copies_auc(network: EmbeddingNetwork, sized: SizedSet, distances: Floats) -> float:
    """The chance that a mildly changed copy is nearer to its original than an unrecognised reconstruction to its own.

    ``distances`` ``(N,)`` are those of the reconstructions; NaN where all were recognised.
    """
    unrecognised = ~sized.judged.majority
    copies = _distances(network, sized.originals[np.unique(sized.original_of)], MILD)
    values = np.concatenate([*copies.values(), distances[unrecognised]])
    is_copy = (np.arange(len(values)) < len(values) - unrecognised.sum())[None].astype(np.float64)
    return float(auc(Ranking.of(-values), is_copy, 1 - is_copy)[0])


def called_recognised(network: EmbeddingNetwork, sized: SizedSet, distances: Floats, change: str) -> float:
    """The share of originals whose changed copy a calibration at even odds would call recognizable, about.

    The bound is the distance within which as many reconstructions lie as the majority recognised.
    ``distances`` ``(N,)`` are those of the reconstructions.
    """
    bound = np.quantile(distances, sized.judged.majority.mean())
    copies = _distances(network, sized.originals[np.unique(sized.original_of)], (change,))[change]
    return float((copies <= bound).mean())


def _distances(network: EmbeddingNetwork, originals: NDArray[np.uint8], changes: Sequence[str]) -> dict[str, Floats]:
    """The distance of each original's changed copy, ``(M,)``, by the name of the change."""
    clear, distances = embed(network, originals), {}
    for name in changes:
        copies = np.stack([np.asarray(CHANGES[name](Image.fromarray(original))) for original in originals])
        distances[name] = np.linalg.norm(embed(network, copies) - clear, axis=1)
    return distances


def _blurred(image: Image.Image, sigma: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(sigma))


def _coarse(image: Image.Image, share: int) -> Image.Image:
    small = image.resize((image.width // share, image.height // share), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _noisy(image: Image.Image, sigma: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0.0, sigma, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8))


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=quality)
    return Image.open(sink).convert("RGB")


def _moved(image: Image.Image, share: int) -> Image.Image:
    return Image.fromarray(np.roll(np.asarray(image), (image.height // share, image.width // share), (0, 1)))


def _displaced(image: Image.Image, share: int) -> Image.Image:
    moved = Image.new("RGB", image.size, (127, 127, 127))
    moved.paste(image, (image.width // share, 0))
    return moved


def _plain(image: Image.Image) -> Image.Image:
    return Image.new("RGB", image.size, (127, 127, 127))


CHANGES: Mapping[str, _Change] = {
    "none": lambda image: image,
    "blurred, sigma 1 pixel": partial(_blurred, sigma=1),
    "blurred, sigma 2 pixels": partial(_blurred, sigma=2),
    "blurred, sigma an eighth of the side": lambda image: _blurred(image, image.width / 8),
    "half the resolution": partial(_coarse, share=2),
    "an eighth of the resolution": partial(_coarse, share=8),
    "noise, sigma 15": partial(_noisy, sigma=15),
    "noise, sigma 30": partial(_noisy, sigma=30),
    "noise, sigma 120": partial(_noisy, sigma=120),
    "JPEG of quality 30": partial(_compressed, quality=30),
    "a third brighter": lambda image: ImageEnhance.Brightness(image).enhance(4 / 3),
    "a third darker": lambda image: ImageEnhance.Brightness(image).enhance(2 / 3),
    "half the contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.5),
    "without colour": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "moved by a sixteenth, round the edge": partial(_moved, share=16),
    MOVED: partial(_displaced, share=4),
    MIRRORED: ImageOps.mirror,
    "plain grey in its place": _plain,
}
"""Changes by name, from none at all to one that leaves nothing of the original."""

MILD = (
    "blurred, sigma 1 pixel", "half the resolution", "noise, sigma 15", "JPEG of quality 30", "half the contrast",
)  # fmt: skip
"""The changes that hide nothing."""
