"""Augmentation of originals and reconstructions."""

import torch

from semsim_training.metric.augmentation import crop_and_flip_batch, move_and_colour, relight, soften


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
