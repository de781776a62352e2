"""The rule by which annotators count."""

import pytest

from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement


def gold(annotator: str, clean: int, noise: int) -> list[Judgement]:
    """Ten clean and ten noise items, of which so many are right; in one of two sets each."""
    rest = (annotator, AnnotatorKind.VISION_MODEL)
    answers = [(f"set{n % 2}", n, "cat" if n < clean else None, None if n < noise else "cat") for n in range(10)]
    return [
        *(Judgement(name, f"c{n}", Shown.CLEAN, *rest, said, "cat", "sheets/1") for name, n, said, _ in answers),
        *(Judgement(name, f"n{n}", Shown.NOISE, *rest, said, None, "sheets/1") for name, n, _, said in answers),
    ]


@pytest.mark.parametrize(("clean", "noise", "counts"), [(8, 9, True), (7, 10, False), (10, 8, False), (10, 10, True)])
def test_who_knows_gold_items_counts(clean: int, noise: int, counts: bool) -> None:
    """Eight of ten clean items and nine of ten images of noise are enough, over both sets together."""
    judgements = [*gold("ada", clean, noise), *gold("bob", 10, 10)]
    assert GoldRule().failed(judgements) == (frozenset() if counts else {"ada"})


def test_who_was_shown_no_gold_items_does_not_count() -> None:
    """Nothing is known of an annotator who saw no clean image, or no noise."""
    for shown in (Shown.CLEAN, Shown.NOISE):
        only = [one for one in gold("ada", 10, 10) if one.shown is shown]
        assert GoldRule().failed(only) == {"ada"}
