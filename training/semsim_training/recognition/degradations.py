"""Degrades images as attacks would, for a recogniser to learn on.

Nothing here runs an attack: a recogniser must not have seen what it is to judge, nor the originals of it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_CLEAN_SHARE = 0.2
_MOST = 3
"""The greatest number of kinds of degradation that one image gets."""


def degrade(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror half of the images ``(N, 3, H, W)``, in levels 0..255, and degrade four fifths by one to three kinds.

    Strengths run from hardly visible to hopeless. A recogniser learns from the hopeless images to be unsure.
    """
    images = _flip(images, rng)
    counts = torch.randint(1, _MOST + 1, (len(images),), generator=rng)
    counts[torch.rand(len(images), generator=rng) < _CLEAN_SHARE] = 0
    for turn in range(_MOST):
        kinds = torch.randint(len(_KINDS), (len(images),), generator=rng)
        for number, kind in enumerate(_KINDS):
            chosen = (kinds == number) & (counts > turn)
            if chosen.any():
                images = images.masked_scatter(chosen[:, None, None, None], kind(images[chosen], rng).clamp(0, 255))
    return images


def _uniform(images: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """A random number for each image, ``(N, 1, 1, 1)``, evenly from ``low`` to ``high``."""
    return torch.rand((len(images), 1, 1, 1), generator=rng) * (high - low) + low


def _strength(images: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """A random number for each image, ``(N, 1, 1, 1)``, whose logarithm is even from ``low`` to ``high``."""
    return _uniform(images, 0.0, 1.0, rng).mul(torch.log(torch.tensor(high / low))).exp() * low


def _flip(images: Tensor, rng: torch.Generator) -> Tensor:
    chosen = torch.rand(len(images), generator=rng) < 0.5
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def _noise(images: Tensor, rng: torch.Generator) -> Tensor:
    """Noise of single pixels, as of a closed form on a noised update or an attack without a prior."""
    return images + torch.randn(images.shape, generator=rng) * _strength(images, 6, 150, rng)


def _coarse_noise(images: Tensor, rng: torch.Generator) -> Tensor:
    """Noise of patches, as of an attack with total variation that went astray."""
    side = images.shape[-1] // int(torch.randint(2, 7, (), generator=rng))
    coarse = torch.randn((len(images), 3, side, side), generator=rng)
    return images + F.interpolate(coarse, images.shape[-1], mode="bicubic") * _strength(images, 10, 110, rng)


def _blur(images: Tensor, rng: torch.Generator) -> Tensor:
    """Blur of one width for all, as of too much total variation."""
    sigma = float(_strength(images[:1], 0.4, images.shape[-1] / 10, rng))
    reach = min(max(1, round(2.5 * sigma)), images.shape[-1] - 1)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (bell / bell.sum())[None, None].repeat(3, 1, 1)
    rows = F.conv2d(F.pad(images, (reach, reach, 0, 0), mode="reflect"), kernel[:, :, None], groups=3)
    return F.conv2d(F.pad(rows, (0, 0, reach, reach), mode="reflect"), kernel[:, :, :, None], groups=3)


def _coarse(images: Tensor, rng: torch.Generator) -> Tensor:
    """Fewer pixels, enlarged smoothly or as blocks."""
    side = images.shape[-1]
    few = int(torch.randint(side // 8, side // 2, (), generator=rng))
    small = F.interpolate(images, few, mode="bicubic", antialias=True)
    return F.interpolate(small, side, mode="bicubic" if torch.rand((), generator=rng) < 0.5 else "nearest")


def _lost_pixels(images: Tensor, rng: torch.Generator) -> Tensor:
    """Random values of 0 or 255 in place of some pixels, as of clamped values."""
    lost = torch.rand((len(images), 1, *images.shape[2:]), generator=rng) < _uniform(images, 0.02, 0.6, rng)
    return torch.where(lost, (torch.rand(images.shape, generator=rng) < 0.5).to(images) * 255, images)


def _colours(images: Tensor, rng: torch.Generator) -> Tensor:
    """Another contrast, brightness and tint, which an update may leave open."""
    gain = torch.rand((len(images), 3, 1, 1), generator=rng) * 0.5 + _uniform(images, 0.15, 1.1, rng)
    shift = torch.randn((len(images), 3, 1, 1), generator=rng) * 30
    return (images - 127.5) * gain + 127.5 + shift


def _mixed_colours(images: Tensor, rng: torch.Generator) -> Tensor:
    """Channels mixed with each other, as far as grey or false colours."""
    mixing = torch.eye(3) + torch.randn((len(images), 3, 3), generator=rng) * 0.35
    mixing = mixing / mixing.sum(2, keepdim=True).abs().clamp_min(0.5)
    return torch.einsum("nij,njhw->nihw", mixing, images)


def _blend(images: Tensor, rng: torch.Generator) -> Tensor:
    """Another image shines through, as of the same client's batch."""
    share = _uniform(images, 0.05, 0.5, rng)
    return images * (1 - share) + images.roll(1, 0) * share


def _shift(images: Tensor, rng: torch.Generator) -> Tensor:
    """The image moved within its frame, which is filled with a grey or goes round."""
    reach = images.shape[-1] // 3
    by = [int(value) for value in torch.randint(-reach, reach + 1, (2,), generator=rng)]
    moved = images.roll(by, (2, 3))
    if torch.rand((), generator=rng) < 0.5:
        for axis, step in zip((2, 3), by, strict=True):
            start = 0 if step >= 0 else images.shape[axis] + step
            moved.narrow(axis, start, abs(step)).fill_(float(torch.randint(256, (), generator=rng)))
    return moved


_KINDS: tuple[Callable[[Tensor, torch.Generator], Tensor], ...] = (
    _noise, _noise, _coarse_noise, _coarse_noise, _blur, _coarse, _lost_pixels,
    _colours, _mixed_colours, _blend, _shift,
)  # fmt: skip
"""Each kind is as likely as any other. Both kinds of noise stand twice: most failed attacks look like noise."""
