"""Augmentation of originals and reconstructions."""

import numpy as np
import torch
from PIL import Image

from semsim_training.metric.augmentation import (
    crop_and_flip_batch,
    grey_some,
    mirror_some,
    move_and_colour,
    relight,
    roughen,
    shift_some,
    soften,
)


def images(count: int) -> torch.Tensor:
    """Random images with levels 0..255."""
    return torch.rand((count, 32, 32, 3), generator=torch.Generator().manual_seed(0)) * 255


def test_a_group_is_changed_alike() -> None:
    """An original and its reconstruction that are equal stay equal; two groups differ."""
    pixels = images(1).repeat(4, 1, 1, 1)
    moved = move_and_colour(pixels, torch.tensor([0, 1, 0, 1]), torch.Generator().manual_seed(1))
    assert torch.equal(moved[0], moved[2])
    assert torch.equal(moved[1], moved[3])
    assert not torch.equal(moved[0], moved[1])
    assert moved.shape == pixels.shape
    assert 0 <= float(moved.min()) <= float(moved.max()) <= 255


def test_crops_are_parts_of_the_image() -> None:
    """The middle of every crop is in the image, flipped or not, moved by at most an eighth."""
    pixels = images(8)
    for image, crop in zip(pixels, crop_and_flip_batch(pixels, torch.Generator().manual_seed(2)), strict=True):
        middle = crop[8:24, 8:24]
        assert any(
            torch.equal(middle, source[top : top + 16, left : left + 16])
            for source in (image, image.flip(1))
            for top in range(4, 13)
            for left in range(4, 13)
        )


def test_half_are_softened_and_none_is_moved() -> None:
    """About half stay as they are; the others lose detail and keep their mean."""
    pixels = images(64)
    softened = soften(pixels, 1.5, torch.Generator().manual_seed(3))
    changed = (softened - pixels).abs().amax((1, 2, 3)) > 0.01
    assert 20 < int(changed.sum()) < 44
    assert torch.all(softened[changed].std((1, 2)) < pixels[changed].std((1, 2)))
    assert torch.allclose(softened.mean((1, 2)), pixels.mean((1, 2)), atol=3)


def test_half_lose_contrast_and_none_loses_all() -> None:
    """About half stay as they are. The others keep at least the rest of their contrast, within 0..255."""
    pixels = images(64)
    relit = relight(pixels, 0.6, torch.Generator().manual_seed(4))
    contrast = relit.std(dim=(1, 2, 3)) / pixels.std(dim=(1, 2, 3))
    assert 16 < int((contrast < 0.999).sum()) < 48
    assert float(contrast.min()) >= 0.399
    assert 0 <= float(relit.min()) <= float(relit.max()) <= 255


def test_a_share_is_mirrored_and_the_rest_stays() -> None:
    """About a quarter are mirrored exactly; a share of nothing changes nothing, and one of all changes all."""
    pixels = images(64)
    mirrored = mirror_some(pixels, 0.25, torch.Generator().manual_seed(5))
    changed = (mirrored != pixels).any(dim=(1, 2, 3))
    assert 6 < int(changed.sum()) < 28
    assert torch.equal(mirrored[changed], pixels[changed].flip(2))
    assert torch.equal(mirror_some(pixels, 0.0, torch.Generator()), pixels)
    assert torch.equal(mirror_some(pixels, 1.0, torch.Generator()), pixels.flip(2))


def test_a_share_loses_its_colour_and_keeps_its_brightness() -> None:
    """Grey pictures have equal channels and the luma of ITU-R BT.601, as Pillow's grey has; others are as before."""
    pixels = images(64).round()
    greyed = grey_some(pixels, 0.5, torch.Generator().manual_seed(6))
    changed = (greyed != pixels).any(dim=(1, 2, 3))
    assert 20 < int(changed.sum()) < 44
    first = pixels[changed][0].to(torch.uint8).numpy()
    assert np.abs(greyed[changed][0].numpy() - np.asarray(Image.fromarray(first).convert("L"))[..., None]).max() < 1


def test_half_get_noise_and_none_more_than_the_most() -> None:
    """About half stay as they are. The noise of the others has at most the given deviation, within 0..255."""
    pixels = torch.full((64, 32, 32, 3), 127.0)
    rough = roughen(pixels, 20.0, torch.Generator().manual_seed(7))
    deviation = (rough - pixels).std(dim=(1, 2, 3))
    assert 20 < int((deviation > 0).sum()) < 44
    assert 15 < float(deviation.max()) < 20.5
    dark = roughen(pixels * 0, 20.0, torch.Generator().manual_seed(7))
    assert 0 <= float(dark.min()) <= float(dark.max()) <= 255


def test_half_are_moved_and_leave_grey() -> None:
    """About half stay as they are. The others are moved by whole pixels within the most; what they leave is grey."""
    pixels = images(64)
    moved = shift_some(pixels, 0.25, torch.Generator().manual_seed(8))
    assert moved.shape == pixels.shape
    changed = (moved != pixels).any(dim=(1, 2, 3))
    assert 16 < int(changed.sum()) < 44
    side = pixels.shape[1]
    for before, after in zip(pixels[changed], moved[changed], strict=True):
        kept = (after != 127.5).any(-1)
        rows, columns = kept.any(1).nonzero().flatten(), kept.any(0).nonzero().flatten()
        assert min(len(rows), len(columns)) >= 0.75 * side
        top = 0 if rows[0] > 0 else side - len(rows)
        left = 0 if columns[0] > 0 else side - len(columns)
        assert torch.equal(after[kept].view(-1, 3), before[top:, left:][: len(rows), : len(columns)].reshape(-1, 3))
    assert torch.equal(shift_some(pixels, 0.0, torch.Generator()), pixels)
