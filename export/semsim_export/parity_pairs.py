"""Pairs of images at many distances, for the comparison of two precisions of one network."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from semsim.images import RGBImage

_KINDS = 6


def degraded_pairs(images: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pair each image with a degraded copy or with another image: originals and counterparts, each ``(N, H, W, 3)``.

    Copies have noise, blur, coarse pixels or missing parts, weak or strong, in turn: they resemble reconstructions,
    and need no attack.
    """
    rng = np.random.default_rng(seed)
    counterparts = [_degrade(index, images, rng) for index in range(len(images))]
    return images, np.stack(counterparts)


def _degrade(index: int, images: NDArray[np.uint8], rng: np.random.Generator) -> RGBImage:
    image: RGBImage = images[index]
    height, width = image.shape[:2]
    strength = rng.uniform(0.2, 1.0)
    match index % _KINDS:
        case 0 | 1:
            return _levels(image + rng.normal(0.0, 80.0 * strength, image.shape))
        case 2:
            return _levels(np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(width / 16 * strength))))
        case 3:
            coarse = max(2, round(width / (2 + 8 * strength)))
            return np.asarray(
                Image.fromarray(image).resize((coarse, coarse), Image.Resampling.BOX).resize((width, height))
            )
        case 4:
            patched = image.copy()
            top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
            patched[top : top + int(height * strength), left : left + int(width * strength)] = 128
            return patched
        case _:
            other: RGBImage = images[(index + 1 + int(rng.integers(0, len(images) - 1))) % len(images)]
            return other


def _levels(values: NDArray[np.generic]) -> RGBImage:
    return np.clip(np.rint(np.asarray(values, dtype=np.float64)), 0, 255).astype(np.uint8)
