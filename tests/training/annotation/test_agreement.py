"""Agreement of annotators, as a report and as a table."""

from dataclasses import replace

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.agreement_table import agreement_table
from semsim_training.annotation.annotator_agreement import agreement_reports
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.statistics.krippendorff import nominal_alpha

PEOPLE = AnnotatorKind.PERSON


def judged(annotator: str, item: str, answer: str | None, **change: object) -> Judgement:
    """A judgement of a cat, unless ``change`` says otherwise."""
    one = Judgement("set", item, Shown.RECONSTRUCTION, annotator, PEOPLE, answer, "cat", "page/1")
    return replace(one, **change)  # type: ignore[arg-type]


JUDGEMENTS = [
    *(judged("ada", f"i{number}", answer) for number, answer in enumerate(["cat", "cat", "dog", None])),
    *(judged("bob", f"i{number}", answer) for number, answer in enumerate(["cat", "dog", "dog", "cat"])),
    judged("ada", "i0", "cat", repeat=1),
    judged("ada", "i1", "dog", repeat=1),
    judged("ada", "g0", "cat", shown=Shown.CLEAN),
    judged("bob", "g0", "dog", shown=Shown.CLEAN),
    judged("ada", "n0", None, shown=Shown.NOISE, truth=None),
    judged("ada", "n1", "cat", shown=Shown.NOISE, truth=None),
    judged("net", "i0", "dog", kind=AnnotatorKind.CLASSIFIER),
]


def test_each_kind_has_a_report_of_its_own() -> None:
    """Classifiers are not mixed with people, nor one set with another."""
    other = [replace(one, dataset="other") for one in JUDGEMENTS[:2]]
    reports = agreement_reports([*JUDGEMENTS, *other])
    assert [(one.dataset, one.kind, one.items) for one in reports] == [
        ("other", PEOPLE, 2), ("set", AnnotatorKind.CLASSIFIER, 1), ("set", PEOPLE, 4),
    ]  # fmt: skip
    assert [one.annotator for one in reports[2].annotators] == ["ada", "bob"]


def test_alpha_is_of_first_showings_of_reconstructions() -> None:
    """One alpha is of the answers, one of right or wrong: two wrong answers agree that an item was not recognised."""
    (report,) = agreement_reports(JUDGEMENTS[:-1])
    answers = [(0, "cat"), (1, "cat"), (2, "dog"), (3, None), (0, "cat"), (1, "dog"), (2, "dog"), (3, "cat")]
    assert report.classes == nominal_alpha(answers)
    assert report.recognised.value == nominal_alpha([(item, answer == "cat") for item, answer in answers]).value
    assert report.drawn == "items"


def test_gold_noise_and_repeats_are_counted_by_annotator() -> None:
    """A repeat counts for consistency alone."""
    (report,) = agreement_reports(JUDGEMENTS[:-1])
    ada, bob = report.annotators
    assert (ada.recognised.count, ada.recognised.of) == (2, 4)
    assert (ada.clean.value, bob.clean.value) == (1.0, 0.0)
    assert (ada.noise.count, ada.noise.of, bob.noise.value) == (1, 2, None)
    assert (ada.repeats.count, ada.repeats.of, bob.repeats.interval) == (1, 2, None)


def test_originals_are_drawn_where_they_are_known() -> None:
    """Drawing originals leaves the value and changes the interval. An item that the set does not have is refused."""
    originals = {"set": {"i0": "a", "i1": "a", "i2": "b", "i3": "b"}}
    (by_item,), (by_original,) = agreement_reports(JUDGEMENTS[:-1]), agreement_reports(JUDGEMENTS[:-1], originals)
    assert by_original.drawn == "originals"
    assert by_original.classes.value == by_item.classes.value
    assert by_original.classes.interval != by_item.classes.interval
    with pytest.raises(InvalidAnnotations, match="expected judgements of items in set, got one of i9"):
        agreement_reports([*JUDGEMENTS, judged("ada", "i9", None)], originals)


def test_the_table_says_who_and_how_sure() -> None:
    """The table names kinds, and gives alpha and shares with intervals, or a reason or a dash for none."""
    text = agreement_table(agreement_reports(JUDGEMENTS))
    classifiers, people = text.split("\n\nset, people")
    assert classifiers.startswith("set, classifiers: 1 reconstructions judged, 0 of them by two annotators or more")
    assert "alpha of classes     none: no item was judged by two annotators" in classifiers
    assert "2000 draws of items" in people
    ada = next(line for line in people.splitlines() if line.lstrip().startswith("ada"))
    assert ada.split() == ["ada", "4", "2/4", "[15%,", "85%]", "1/1", "[21%,", "100%]", "1/2", "[9%,", "91%]",
                           "1/2", "[9%,", "91%]"]  # fmt: skip
    assert people.splitlines()[-1].endswith("  -")
    assert "1.000  no interval: a single group" in agreement_table(
        agreement_reports([one for one in JUDGEMENTS if one.item in ("i0", "i2")], {"set": {"i0": "a", "i2": "a"}})[1:]
    )
