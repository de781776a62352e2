"""The share of annotators who recognised an item."""

from dataclasses import replace

from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.shares import Share, recognised_shares

ONE = Judgement("set", "00ff", Shown.RECONSTRUCTION, "ada", AnnotatorKind.PERSON, "cat", "cat", "page/1")


def test_shares_count_first_judgements_of_one_kind() -> None:
    """Not repeats, gold items, or other kinds of annotators; items that nobody judged are not there."""
    judgements = [
        ONE,
        replace(ONE, annotator="bob", answer=None),
        replace(ONE, annotator="eve", answer="dog"),
        replace(ONE, repeat=1),
        replace(ONE, item="00aa", shown=Shown.CLEAN),
        replace(ONE, item="00bb", kind=AnnotatorKind.CLASSIFIER),
        replace(ONE, item="00cc"),
    ]
    assert recognised_shares(judgements, AnnotatorKind.PERSON) == {"00ff": Share(1, 3), "00cc": Share(1, 1)}
    assert recognised_shares(judgements, AnnotatorKind.CLASSIFIER) == {"00bb": Share(1, 1)}
    assert recognised_shares(judgements, AnnotatorKind.VISION_MODEL) == {}


def test_half_is_no_majority() -> None:
    """More recognised it than did not."""
    assert Share(1, 4).share == 0.25
    assert [Share(count, 2).majority for count in range(3)] == [False, False, True]
