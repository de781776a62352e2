"""Altered copies among many reconstructions are found, and little else is taken for one."""

from collections.abc import Callable

import numpy as np
import pytest

from semsim.images import ResizeFilter, decode, resize
from semsim.uninformative import SmallCopies, altered_copies, moves_of
from tests.conftest import ROOT

PHOTOGRAPHS = [
    resize(decode(path), 64, 64) for path in sorted((ROOT / "examples" / "images" / "photographs").glob("*/*.png"))
]


def small(images: list[np.ndarray]) -> SmallCopies:
    """Small copies by way of the bundled model's size."""
    return SmallCopies.of(images, 32, 32, ResizeFilter.BICUBIC)


def moved(image: np.ndarray) -> np.ndarray:
    """A copy moved by a quarter in both directions, with grey behind."""
    behind = np.full_like(image, 128)
    behind[16:, 16:] = image[:-16, :-16]
    return behind


def in_red(image: np.ndarray) -> np.ndarray:
    """The grey copy of an image in red alone."""
    alone = np.zeros_like(image)
    alone[..., 0] = image.mean(axis=2)
    return alone


@pytest.mark.parametrize(
    "alter",
    [
        lambda image: image[:, ::-1],
        np.rot90,
        lambda image: 255 - image,
        lambda image: image.transpose(2, 0, 1).reshape(image.shape),
        in_red,
        moved,
    ],
    ids=["mirrored", "turned", "inverted", "reshaped", "one channel", "moved"],
)
def test_each_altered_copy_is_found_beside_its_original_alone(alter: Callable[[np.ndarray], np.ndarray]) -> None:
    """The altered copies are found, and neither exact copies nor other images are taken for one."""
    count = len(PHOTOGRAPHS)
    made = [*(np.ascontiguousarray(alter(image)) for image in PHOTOGRAPHS), *PHOTOGRAPHS]
    found = small(PHOTOGRAPHS).altered(small(made), np.zeros((count, 2 * count)), moves_of(2 * count))
    assert np.array_equal(found, np.eye(count, 2 * count, dtype=bool))


def test_of_many_pairs_only_the_closest_are_looked_at_for_being_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time does not grow with the product of both sides, and each reconstruction has one original at least."""
    originals, made = small(PHOTOGRAPHS), small([moved(PHOTOGRAPHS[0])])
    distances = np.arange(len(PHOTOGRAPHS), dtype=np.float64)[:, None]
    assert originals.altered(made, distances, 1)[0, 0]
    assert not originals.altered(made, -distances, 1).any()
    monkeypatch.setattr(altered_copies, "MOST_MOVED", 100)
    assert [moves_of(count) for count in (1, 30, 1000)] == [100, 3, 1]
