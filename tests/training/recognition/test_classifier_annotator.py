"""Recognisers as annotators."""

from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.recognition.classifier_annotator import judge, load_recognisers
from tests.training.annotation.sets import write_set


def test_a_classifier_annotates_what_it_knows_clean(place: Path, trained: Path) -> None:
    """All gold items are judged, and the reconstructions of the originals that the classifier recognised."""
    item_set = ItemSet.read(place / "set")
    (recogniser,) = load_recognisers(trained, item_set)
    gold = item_set.gold(clean=6, noise=4, seed=0)
    judgements = judge(item_set, gold, recogniser, floor=0.0)
    assert {one.kind for one in judgements} == {AnnotatorKind.CLASSIFIER}
    known = {one.item for one in judgements if one.shown is Shown.CLEAN and one.recognised}
    images = {one.identifier: one.image for one in gold}
    expected = {item.identifier for item in item_set.items if item.image in {images[name] for name in known}}
    assert {one.item for one in judgements if one.shown is Shown.RECONSTRUCTION} == expected
    assert {one.item for one in judgements if one.shown is not Shown.RECONSTRUCTION} == set(images)
    assert all(one.confidence is not None and 1 / 3 <= one.confidence <= 1 for one in judgements)
    assert all(one.answer is None for one in judge(item_set, gold, recogniser, floor=1.0))


def test_recognisers_of_other_classes_do_not_judge(trained: Path, tmp_path: Path) -> None:
    """A set whose classes no recogniser knows is refused, and the recognisers are named."""
    write_set(tmp_path / "other", classes=5, originals=5)
    with pytest.raises(InvalidAnnotations, match=r"the 5 classes of small in .*, got small-0"):
        next(load_recognisers(trained, ItemSet.read(tmp_path / "other")))
