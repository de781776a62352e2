"""The judgements in the repository."""

from collections import Counter
from pathlib import Path

import pytest

from semsim_training.annotation.dealing import original_of
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, read
from tests.conftest import ROOT

SETS = sorted(path.parent for path in (ROOT / "datasets").glob("*/annotations"))


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


def test_three_vision_models_judged_every_reconstruction_and_met_no_original_often() -> None:
    """Each reconstruction has at least three judgements, all by vision models; none met an original five times."""
    judged = [one for one in read(ROOT / "datasets" / "vision-models") if one.shown is Shown.RECONSTRUCTION]
    assert {one.kind for one in judged} == {AnnotatorKind.VISION_MODEL}
    firsts = [one for one in judged if one.repeat == 0]
    times = Counter((one.dataset, one.item) for one in firsts)
    met: Counter[tuple[str, str]] = Counter()
    for path in SETS:
        originals = {item.identifier: original_of(item) for item in ItemSet.read(path).items}
        assert min(times[path.name, item] for item in originals) >= 3
        met.update((one.annotator, originals[one.item]) for one in firsts if one.dataset == path.name)
    assert max(met.values()) == 4
