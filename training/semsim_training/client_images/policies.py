"""Augmentation policies as a defense: Automatic Transformation Search (ATS).

Gao et al., CVPR 2021 (arXiv 2011.12505) pick, from 50 operations, the three whose composition hurts
reconstructions most. A policy is written as the indices of its operations, ``3-1-7``; ``3-1-7+43-18-18`` draws
one of two policies for each image. An operation always fires; its sign is random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from semsim.exceptions import InvalidConfiguration
from semsim.images import RGBImage

_GREY = (128, 128, 128)

OPERATIONS = (
    ("invert", 7), ("contrast", 6), ("rotate", 2), ("translateX", 9), ("sharpness", 1),
    ("sharpness", 3), ("shearY", 2), ("translateY", 2), ("autocontrast", 5), ("equalize", 2),
    ("shearY", 5), ("posterize", 5), ("color", 3), ("brightness", 5), ("sharpness", 9),
    ("brightness", 9), ("equalize", 5), ("equalize", 1), ("contrast", 7), ("sharpness", 5),
    ("color", 5), ("translateX", 5), ("equalize", 7), ("autocontrast", 8), ("translateY", 3),
    ("sharpness", 6), ("brightness", 6), ("color", 8), ("solarize", 0), ("invert", 0),
    ("equalize", 0), ("autocontrast", 0), ("equalize", 8), ("equalize", 4), ("color", 5),
    ("equalize", 5), ("autocontrast", 4), ("solarize", 4), ("brightness", 3), ("color", 0),
    ("solarize", 1), ("autocontrast", 0), ("translateY", 3), ("translateY", 3), ("autocontrast", 1),
    ("solarize", 1), ("equalize", 5), ("invert", 0), ("translateY", 3), ("autocontrast", 1),
)  # fmt: skip
"""The 50 operations and their magnitudes 0..9, by the published index."""


@dataclass(frozen=True, slots=True)
class Policies:
    """One or more policies; an image gets one of them."""

    operations: tuple[tuple[int, ...], ...]
    """The published indices of each policy's operations."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``3-1-7+43-18-18``.

        Raises:
            InvalidConfiguration: something else than indices 0..49.
        """
        try:
            parsed = tuple(tuple(int(index) for index in policy.split("-")) for policy in text.split("+"))
        except ValueError:
            parsed = ()
        if not parsed or any(not 0 <= index < len(OPERATIONS) for policy in parsed for index in policy):
            raise InvalidConfiguration(
                f"expected policies as indices 0..{len(OPERATIONS) - 1}, such as 3-1-7+43-18-18, got {text}"
            )
        return cls(parsed)

    def apply(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        """The image ``(H, W, 3)`` or ``(H, W, 1)`` after one of the policies.

        Raises:
            InvalidConfiguration: the image has another number of channels.
        """
        channels = image.shape[2]
        if channels not in (1, 3):
            raise InvalidConfiguration(f"expected images of 1 or 3 channels for policies, got {channels}")
        policy = self.operations[int(rng.integers(len(self.operations)))]
        picture = Image.fromarray(np.repeat(image, 3 // channels, axis=2))
        for index in policy:
            name, magnitude = OPERATIONS[index]
            sign = 1 if rng.random() < 0.5 else -1
            picture = _apply(picture, name, magnitude, sign)
        return np.asarray(picture)[:, :, :channels]


def crop_and_flip(image: RGBImage, rng: np.random.Generator) -> RGBImage:
    """The usual augmentation of small images: pad by an eighth of the side, random crop, random mirror."""
    pad = image.shape[0] // 8
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    top, left = rng.integers(0, 2 * pad + 1, size=2)
    cropped = padded[top : top + image.shape[0], left : left + image.shape[1]]
    return np.ascontiguousarray(cropped[:, ::-1] if rng.random() < 0.5 else cropped)


def _apply(picture: Image.Image, name: str, magnitude: int, sign: int) -> Image.Image:
    """AutoAugment's operations (Cubuk et al., CVPR 2019) with ten magnitudes from nothing to their maximum."""
    share = magnitude / 9
    if name in _ENHANCERS:
        return _ENHANCERS[name](picture).enhance(1 + sign * 0.5 * share)
    if name in _FIXED:
        return _FIXED[name](picture)
    match name:
        case "posterize":
            return ImageOps.posterize(picture, round(8 - 4 * share))
        case "solarize":
            return ImageOps.solarize(picture, round(256 * (1 - share)))
        case "rotate":
            return picture.rotate(sign * 30 * share, Image.Resampling.NEAREST, fillcolor=_GREY)
        case "shearX":
            return _affine(picture, (1, sign * 0.3 * share, 0, 0, 1, 0))
        case "shearY":
            return _affine(picture, (1, 0, 0, sign * 0.3 * share, 1, 0))
        case "translateX":
            return _affine(picture, (1, 0, sign * share * 150 / 331 * picture.width, 0, 1, 0))
        case _:
            return _affine(picture, (1, 0, 0, 0, 1, sign * share * 150 / 331 * picture.height))


_ENHANCERS: dict[str, Callable[[Image.Image], ImageEnhance._Enhance]] = {
    "brightness": ImageEnhance.Brightness,
    "color": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "sharpness": ImageEnhance.Sharpness,
}
_FIXED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "autocontrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "invert": ImageOps.invert,
}


def _affine(picture: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=_GREY)
