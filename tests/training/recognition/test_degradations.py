"""Degradations that imitate attacks."""

import torch

from semsim_training.recognition.degradations import degrade
from tests.training.small import smooth_images

IMAGES = torch.from_numpy(smooth_images(60)).permute(0, 3, 1, 2).float()


def test_some_stay_clean_and_some_are_beyond_help() -> None:
    """Levels stay in 0..255. About a fifth are as they were or mirrored. Damage runs from little to much."""
    degraded = degrade(IMAGES, torch.Generator().manual_seed(0))
    assert degraded.shape == IMAGES.shape
    assert 0 <= float(degraded.min()) <= float(degraded.max()) <= 255
    same = [
        torch.equal(one, image) or torch.equal(one, image.flip(2)) for one, image in zip(degraded, IMAGES, strict=True)
    ]
    assert 4 <= sum(same) <= 24
    error = ((degraded - IMAGES) ** 2).mean((1, 2, 3)).sqrt()
    assert float(error.quantile(0.5)) > 15
    assert float(error.max()) > 80


def test_the_generator_decides() -> None:
    """The same seed gives the same damage, and another seed other damage. The images stay as they were."""
    before = IMAGES.clone()
    first, again, other = (degrade(IMAGES, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(IMAGES, before)


def test_any_size_is_degraded() -> None:
    """One image of 16 pixels is degraded, and so are many of 64."""
    for count, size in ((1, 16), (30, 64)):
        images = torch.from_numpy(smooth_images(count, size)).permute(0, 3, 1, 2).float()
        for seed in range(12):
            assert torch.isfinite(degrade(images, torch.Generator().manual_seed(seed))).all()
