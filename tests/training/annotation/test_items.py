"""Blind items of a reconstruction set."""

import io

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim_training.annotation.items import ItemSet, Shown, gold_items
from tests.conftest import ROOT

CIFAR = ROOT / "datasets" / "cifar10"


def test_items_are_named_blindly_and_once() -> None:
    """Every reconstruction that was made is an item; its name tells nothing and is its own."""
    found = ItemSet.of(CIFAR, ["test"])
    assert {item.shown for item in found.items} == {Shown.RECONSTRUCTION}
    assert {item.split for item in found.items} == {"test"}
    assert len({item.identifier for item in found.items}) == len(found.items) > 100
    assert len(found.classes) == 10
    assert all(int(item.identifier, 16) >= 0 and len(item.identifier) == 16 for item in found.items)


def test_gold_is_spread_over_classes_and_seeded() -> None:
    """Ten clean originals of ten classes, noise of the set's size without a class, the same for the same seed."""
    gold = gold_items(CIFAR, clean=10, noise=3, seed=4)
    assert {item.truth for item in gold[:10]} == set(ItemSet.of(CIFAR).classes)
    assert [item.truth for item in gold[10:]] == [None] * 3
    for item in gold:
        assert np.asarray(Image.open(io.BytesIO(item.png))).shape == (32, 32, 3)
    assert gold == gold_items(CIFAR, clean=10, noise=3, seed=4)
    assert gold != gold_items(CIFAR, clean=10, noise=3, seed=5)


def test_too_few_originals_and_empty_splits_are_refused() -> None:
    """The message says how many there are."""
    with pytest.raises(InvalidDataset, match=r"expected at least 1000 originals .* got 100"):
        gold_items(CIFAR, clean=1000, noise=0, seed=0)
    with pytest.raises(InvalidDataset, match="expected reconstructions of elsewhere"):
        ItemSet.of(CIFAR, ["elsewhere"])
