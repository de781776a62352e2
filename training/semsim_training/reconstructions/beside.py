"""Originals beside their reconstructions: scores and a picture. Originals are private, and so is all that is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidImage, InvalidOption
from semsim.images import RGBImage, decode, resize
from semsim.scorer import PairScore, Scorer
from semsim_training.reconstructions.partners import partners

_SIDE = 128
"""The least side of a tile in pixels; images are enlarged by whole factors."""
_GAP = 4


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Originals with their reconstructions, in the order of the originals."""

    originals: tuple[Path, ...]
    partners: tuple[int, ...]
    """The index of each original's reconstruction."""
    scores: tuple[PairScore, ...]
    picture: RGBImage
    """The originals above, their reconstructions below."""


def beside(originals: Sequence[Path], reconstructions: NDArray[np.uint8]) -> Beside:
    """Score ``reconstructions`` ``(images, H, W, C)`` with the bundled model against as many originals.

    Originals of another size are resized to pair and to draw them, and scored as they are. Grey images are scored as
    images of three equal channels.

    Raises:
        InvalidOption: an original cannot be read.
    """
    read = [_read(path) for path in originals]
    coloured = np.repeat(reconstructions, 3, axis=3) if reconstructions.shape[3] == 1 else reconstructions
    height, width = reconstructions.shape[1:3]
    fitted = np.stack([_fitted(image, height, width) for image in read])
    if reconstructions.shape[3] == 1:
        fitted = np.repeat(fitted.mean(axis=3, keepdims=True).round().astype(np.uint8), 3, axis=3)
    order = partners(fitted, coloured)
    chosen = coloured[order]
    scores = Scorer().score_images(read, list(chosen))
    return Beside(tuple(originals), tuple(order), tuple(scores), _drawn(fitted, chosen))


def _read(path: Path) -> RGBImage:
    try:
        return decode(path)
    except InvalidImage as error:
        raise InvalidOption(f"expected an original at {path}: {error}") from error


def _fitted(image: RGBImage, height: int, width: int) -> RGBImage:
    return image if image.shape[:2] == (height, width) else resize(image, height, width)


def _drawn(originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> RGBImage:
    factor = -(-_SIDE // min(originals.shape[1:3]))
    lines = [
        np.concatenate([_tile(image, factor) for image in images], axis=1) for images in (originals, reconstructions)
    ]
    return np.concatenate(lines, axis=0)


def _tile(image: RGBImage, factor: int) -> RGBImage:
    enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.pad(enlarged, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
