"""Judged reconstructions that a small network can learn, without a set on disk."""

import numpy as np

from semsim_training.metric.judged import JudgedReconstructions, Origin
from semsim_training.metric.metric_recipe import MetricRecipe
from tests.training.small import smooth_images

SPLITS = ("train", "train", "validation", "test")


def judged(originals: int = 12, each: int = 4, size: int = 32, seed: int = 0) -> JudgedReconstructions:
    """Each original with ``each`` reconstructions, from little noise to much; three judge each."""
    images = smooth_images(originals, size, seed)
    rng = np.random.default_rng(seed)
    noise = np.tile(np.linspace(5, 120, each), originals)
    of = np.repeat(np.arange(originals), each)
    found = np.clip(images[of] + rng.normal(size=(len(of), size, size, 3)) * noise[:, None, None, None], 0, 255)
    origins = tuple(
        Origin(
            setting=f"setting-{place % each}",
            dataset=f"set-{original % 2}",
            image=f"image-{original}",
            split=SPLITS[original % len(SPLITS)],
            label="a",
            victim=f"victim-{place % 2}",
            attack=f"attack-{place % each // 2}",
            defense="none",
        )
        for place, original in enumerate(of)
    )
    return JudgedReconstructions(
        images,
        found.astype(np.uint8),
        of,
        np.round(3 * (1 - noise / 120)).astype(np.int64),
        np.full(len(of), 3),
        origins,
        tuple(f"{place:016x}" for place in range(len(of))),
    )


def recipe(**changed: object) -> MetricRecipe:
    """A recipe for a small network of timm."""
    fields: dict[str, object] = {
        "name": "small",
        "architecture": "test_resnet",
        "size": 32,
        "mean": (127, 127, 127),
        "std": (64, 64, 64),
        "batch": 4,
        "reconstructions": 4,
        "learning_rate": 1e-3,
        "epochs": 2,
    }
    return MetricRecipe.model_validate(fields | changed)
