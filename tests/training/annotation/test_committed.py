"""The judgements in the repository."""

from pathlib import Path

import pytest

from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, read
from tests.conftest import ROOT

SETS = sorted(path.parent for path in (ROOT / "datasets").glob("*/dataset.json"))


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_classifiers_judged_every_set(path: Path) -> None:
    """Three classifiers judged, and are called classifiers. Every item is of the set or of its gold items."""
    judgements = read(path / "annotations")
    assert {one.kind for one in judgements} == {AnnotatorKind.CLASSIFIER}
    assert len({one.annotator for one in judgements}) == 3
    item_set = ItemSet.read(path)
    items = {item.identifier: item.truth for item in item_set.items}
    originals = len(set(item_set.originals.values()))
    gold = {item.identifier: item.truth for item in item_set.gold(originals, 50, seed=0)}
    known = items | gold
    assert all(one.truth == known[one.item] for one in judgements)
    assert {one.item for one in judgements if one.shown is not Shown.RECONSTRUCTION} == set(gold)


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_the_sets_are_neither_all_clear_nor_all_noise(path: Path) -> None:
    """Between a quarter and six tenths of the judged reconstructions were recognised."""
    judged = [one for one in read(path / "annotations") if one.shown is Shown.RECONSTRUCTION]
    assert 0.25 <= sum(one.recognised for one in judged) / len(judged) <= 0.62
