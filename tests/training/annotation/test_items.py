"""Blind items of a reconstruction set."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim.images import decode
from semsim_training.annotation.items import ItemSet, Shown
from tests.training.annotation.sets import png, write_set


def test_items_are_named_blindly_and_once(wide_set: Path) -> None:
    """Every reconstruction that was made is an item. No two names are the same, and a name tells nothing."""
    item_set = ItemSet.read(wide_set, ["test"])
    assert {item.shown for item in item_set.items} == {Shown.RECONSTRUCTION}
    assert {item.row.split for item in item_set.items if item.row is not None} == {"test"}
    assert len(item_set.originals) == len(item_set.items) == 110
    assert len(item_set.classes) == 10
    assert all(int(item.identifier, 16) >= 0 and len(item.identifier) == 16 for item in item_set.items)


def test_gold_is_spread_over_classes_and_seeded(wide_set: Path) -> None:
    """Ten clean originals are of ten classes, and noise has the set's size. The same seed gives the same gold items."""
    item_set = ItemSet.read(wide_set)
    gold = item_set.gold(clean=10, noise=3, seed=4)
    assert {item.truth for item in gold[:10]} == set(item_set.classes)
    assert [item.truth for item in gold[10:]] == [None] * 3
    for item in gold:
        assert np.asarray(Image.open(io.BytesIO(item_set.png(item)))).shape == (64, 64, 3)
    again = ItemSet.read(wide_set)
    assert gold == again.gold(clean=10, noise=3, seed=4)
    assert [item_set.png(item) for item in gold] == [again.png(item) for item in gold]
    assert gold != item_set.gold(clean=10, noise=3, seed=5)


def test_too_few_originals_and_empty_splits_are_refused(wide_set: Path) -> None:
    """The error says how many originals there are."""
    with pytest.raises(InvalidDataset, match=r"expected at least 1000 originals .* got 30"):
        ItemSet.read(wide_set).gold(clean=1000, noise=0, seed=0)
    with pytest.raises(InvalidDataset, match="expected reconstructions of elsewhere"):
        ItemSet.read(wide_set, ["elsewhere"])


def test_originals_and_near_copies_alone_need_the_data_set(tmp_path: Path) -> None:
    """Without the data set of the originals, clean originals and near copies of originals cannot be shown."""
    directory = write_set(tmp_path / "set", near_copies=True)
    item_set = ItemSet.read(directory)
    clean, noise = item_set.gold(clean=1, noise=1, seed=0)
    reconstruction, near_copy = item_set.items[:2]
    shown = item_set.png(near_copy)
    shutil.rmtree(directory / "originals")
    item_set = ItemSet.read(directory)
    for item in (reconstruction, noise):
        assert Image.open(io.BytesIO(item_set.png(item))).size == (16, 16)
    with pytest.raises(InvalidDataset, match="clean gold items show originals: expected the originals of small"):
        item_set.png(clean)
    with pytest.raises(InvalidDataset, match="near copies are differences from their originals: expected the"):
        item_set.png(near_copy)
    np.testing.assert_array_equal(decode(shown), decode(png(2000, 16)))
