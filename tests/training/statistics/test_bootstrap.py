"""The bootstrap over groups of items."""

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.statistics.bootstrap import Draws, positions, resampled

GROUPS = ("a", "b", "a", "c", "b", "a")
SETTINGS = ("x", "x", "y", "x", "y", "x")


def test_draws_hold_as_many_groups_as_there_are() -> None:
    """The same seed makes the same draws, another one others."""
    drawn = resampled(7, 50, seed=1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(drawn, resampled(7, 50, seed=1))
    assert (drawn != resampled(7, 50, seed=2)).any()


def test_the_first_draw_is_the_sample_itself() -> None:
    """Row 0 takes each group once; the others are those of the seed, and every item has the weight of its group."""
    draws = Draws.of(GROUPS, 100, seed=3)
    assert draws.counts[0].tolist() == [1, 1, 1]
    np.testing.assert_array_equal(draws.counts[1:], resampled(3, 100, seed=3))
    assert draws.group.tolist() == [0, 1, 0, 2, 1, 0]
    weights = np.concatenate([part for _, part in draws.weights()])
    np.testing.assert_array_equal(weights, draws.counts[:, [0, 1, 0, 2, 1, 0]])
    assert [rows for rows, _ in draws.weights()] == [slice(0, 64), slice(64, 128)]


def test_every_draw_has_an_item_of_every_setting() -> None:
    """A draw without one is made again; where hardly any has one, the error counts."""
    draws = Draws.of(GROUPS, 200, seed=0, settings=SETTINGS)
    assert (draws.counts[:, :2].sum(axis=1) > 0).all()
    assert len(draws.counts) == 201
    many = tuple(map(str, range(30)))
    with pytest.raises(InvalidAnnotations, match="got 0 of 10 draws of these with an item of every setting"):
        Draws.of(many, 10, seed=0, settings=many, name="these")


def test_means_are_those_of_repeated_items() -> None:
    """In a draw, an item counts as often as its group was drawn."""
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    draws = Draws.of(GROUPS, 20, seed=0, settings=SETTINGS)
    means = draws.means(values, positions(("x", "y"), SETTINGS))
    for counts, mean in zip(draws.counts, means, strict=True):
        times = counts[draws.group].astype(int)
        repeated, settings = np.repeat(values, times), np.repeat(SETTINGS, times)
        assert mean.tolist() == pytest.approx([repeated[settings == name].mean() for name in ("x", "y")])
