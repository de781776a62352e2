"""Changes that leave a reconstruction as recognizable as before."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_and_flip_batch(images: Tensor, rng: torch.Generator) -> Tensor:
    """Pad images ``(N, S, S, 3)`` by an eighth with black, crop each for itself to its size, and flip half."""
    side = images.shape[1]
    reach = side // 8
    padded = F.pad(images, (0, 0, reach, reach, reach, reach))
    places = torch.randint(0, 2 * reach + 1, (len(images), 2), generator=rng).tolist()
    flips = (torch.rand(len(images), generator=rng) < 0.5).tolist()
    cropped = [image[top : top + side, left : left + side] for image, (top, left) in zip(padded, places, strict=True)]
    return torch.stack([image.flip(1) if flip else image for image, flip in zip(cropped, flips, strict=True)])


def soften(images: Tensor, most: float, rng: torch.Generator) -> Tensor:
    """Blur half of the images ``(N, S, S, 3)``, each by another Gaussian with a sigma of at most ``most`` pixels."""
    sigma = ((torch.rand(len(images), generator=rng) * 2 - 1) * most).clamp_min(1e-3)
    reach = math.ceil(2.5 * most)
    bells = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma[:, None]) ** 2)
    kernels = (bells / bells.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    side = images.shape[1]
    padded = F.pad(images.permute(0, 3, 1, 2), (reach,) * 4, mode="reflect").flatten(0, 1)[None]
    rows = F.conv2d(padded, kernels[:, :, None], groups=kernels.shape[0])
    blurred = F.conv2d(rows, kernels[:, :, :, None], groups=kernels.shape[0])
    return blurred.view(-1, 3, side, side).permute(0, 2, 3, 1)


def relight(images: Tensor, most: float, rng: torch.Generator) -> Tensor:
    """Take up to ``most`` of the contrast of half of the images ``(N, S, S, 3)``, and move each within 0..255."""
    rooms = (torch.rand(len(images), generator=rng) * 2 - 1).clamp_min(0) * most
    places = torch.rand(len(images), generator=rng)
    return images * (1 - rooms)[:, None, None, None] + (255 * rooms * places)[:, None, None, None]


def roughen(images: Tensor, most: float, rng: torch.Generator) -> Tensor:
    """Add noise to half of the images ``(N, S, S, 3)``, each with another standard deviation of at most ``most``."""
    sigma = (torch.rand(len(images), generator=rng) * 2 - 1).clamp_min(0) * most
    noise = torch.randn(images.shape, generator=rng) * sigma[:, None, None, None]
    return (images + noise).clamp(0, 255)


def mirror_some(images: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Mirror about a ``share`` of the images ``(N, S, S, 3)``."""
    chosen = torch.rand(len(images), generator=rng) < share
    return torch.where(chosen[:, None, None, None], images.flip(2), images)


def grey_some(images: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Take the colour of about a ``share`` of the images ``(N, S, S, 3)``; the brightness stays (ITU-R BT.601)."""
    chosen = torch.rand(len(images), generator=rng) < share
    grey = (images @ torch.tensor([0.299, 0.587, 0.114]))[..., None].expand_as(images)
    return torch.where(chosen[:, None, None, None], grey, images)


def shift_some(images: Tensor, most: float, rng: torch.Generator) -> Tensor:
    """Move half of the images ``(N, S, S, 3)`` by up to ``most`` of their side each way; what they leave is grey."""
    side = images.shape[1]
    chosen = torch.rand(len(images), generator=rng) < 0.5
    steps = ((torch.rand((len(images), 2), generator=rng) * 2 - 1) * most * side).round().long() * chosen[:, None]
    wide = F.pad(images.permute(0, 3, 1, 2), [side] * 4, value=127.5).permute(0, 2, 3, 1)
    places = (torch.arange(side) + side).expand(len(images), 2, side) - steps[:, :, None]
    return wide[torch.arange(len(images))[:, None, None], places[:, 0, :, None], places[:, 1, None, :]]


def move_and_colour(images: Tensor, group: Tensor, rng: torch.Generator) -> Tensor:
    """Flip, move (to an eighth), zoom, turn slightly and recolour images ``(N, S, S, 3)`` in levels 0..255.

    Images of one ``group`` ``(N,)``, an original and its reconstructions, are changed alike.
    """
    groups = int(group.max()) + 1

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((groups, *shape), generator=rng) * (high - low) + low

    angle, zoom = uniform(-8, 8) * math.pi / 180, uniform(0.85, 1.15)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    rows = [zoom * angle.cos() * flip, -zoom * angle.sin(), uniform(-0.25, 0.25)]
    columns = [zoom * angle.sin() * flip, zoom * angle.cos(), uniform(-0.25, 0.25)]
    maps = torch.stack([torch.stack(rows, 1), torch.stack(columns, 1)], 1)
    pixels = images.permute(0, 3, 1, 2)
    grid = F.affine_grid(maps[group], list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gain, shift = uniform(0.8, 1.2, 3, 1, 1), uniform(-20, 20, 3, 1, 1)
    return ((moved - 127.5) * gain[group] + 127.5 + shift[group]).clamp(0, 255).permute(0, 2, 3, 1)
