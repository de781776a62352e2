"""The cards of a study, and their orders."""

from dataclasses import replace
from pathlib import Path

import pytest

from semsim.exceptions import InvalidDataset, InvalidOption
from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from tests.training.annotation.sets import write_set


def test_the_same_study_for_the_same_sets(small_set: Path) -> None:
    """Cards, orders and fingerprint follow from sets, splits and seed alone."""
    one, two = (AnnotationStudy.read([small_set], StudySettings()) for _ in range(2))
    assert one == two
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != AnnotationStudy.read([small_set], StudySettings(), ["test"]).fingerprint
    names = [[card.item.identifier for card in one.shuffled(who, one.reconstructions)] for who in ("ada", "bob")]
    assert names[0] != names[1]
    assert sorted(names[0]) == sorted(names[1])


def test_gold_is_of_splits_that_are_not_judged(small_set: Path) -> None:
    """Clean gold items are originals of other splits, where there are any, so that no reconstruction is lost."""
    study = AnnotationStudy.read([small_set], StudySettings(), ["test"])
    judged = {card.original for card in study.reconstructions}
    clean = {card.original for card in study.gold if card.item.shown is Shown.CLEAN}
    assert len(judged) == 2
    assert len(clean) == 4
    assert not judged & clean
    everything = AnnotationStudy.read([small_set], StudySettings())
    assert sum(card.item.shown is Shown.CLEAN for card in everything.gold) == 6


def test_practice_is_half_clean_and_half_noise(small_set: Path, tmp_path: Path) -> None:
    """Practice begins with a clean original, and is of the annotator's first set."""
    study = AnnotationStudy.read([small_set, write_set(tmp_path / "other", name="other")], StudySettings(practice=5))
    firsts = set()
    for annotator in map(str, range(20)):
        cards = study.practice(annotator)
        assert [card.item.shown for card in cards].count(Shown.CLEAN) == 3
        assert [card.item.shown for card in cards].count(Shown.NOISE) == 2
        assert cards[0].item.shown is Shown.CLEAN
        assert {card.dataset for card in cards} == {study.order(annotator)[0]}
        firsts.add(study.order(annotator)[0])
    assert firsts == {"small", "other"}


def test_a_study_without_originals_needs_no_data_set(without_originals: Path) -> None:
    """Reconstructions and noise are shown without the data set. A study that shows clean originals is refused."""
    blind = StudySettings(clean=0, practice=0)
    study = AnnotationStudy.read([without_originals], blind)
    assert {study.png(card)[1:4] for card in study.reconstructions} == {b"PNG"}
    for settings in (replace(blind, clean=0.1), replace(blind, practice=1)):
        with pytest.raises(InvalidDataset, match="clean gold items show originals"):
            AnnotationStudy.read([without_originals], settings)


def test_other_pixels_are_another_study(tmp_path: Path, small_set: Path) -> None:
    """The fingerprint tells sets of the same items apart whose images differ."""
    other = write_set(tmp_path / "other", size=32)
    one, two = (AnnotationStudy.read([path], StudySettings()) for path in (small_set, other))
    assert {card.item.identifier for card in one.cards} == {card.item.identifier for card in two.cards}
    assert one.fingerprint != two.fingerprint


def test_what_cannot_be_a_study_is_refused(small_set: Path) -> None:
    """Refused are shares beyond half, unknown splits, and two sets of one name."""
    with pytest.raises(InvalidOption, match="shares of clean, noise and repeats of at most"):
        StudySettings(clean=0.3, noise=0.3)
    with pytest.raises(InvalidOption, match="expected splits of train, validation, test, got holdout"):
        AnnotationStudy.read([small_set], StudySettings(), ["holdout"])
    with pytest.raises(InvalidOption, match="expected sets of different names, got small, small"):
        AnnotationStudy.read([small_set, small_set], StudySettings())
