"""Clearer copies of an original, and the judgements of noisy ones that they change."""

import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.clearer_copies import ClearerCopies
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement

ORIGINALS = {"set": {"far": "one", "near": "one", "sole": "two"}}


def judgement(annotator: str, item: str, repeat: int, recognised: bool, protocol: str = "sheets/1-dealt") -> Judgement:
    """A vision model's answer, right or unrecognizable."""
    answer = "cat" if recognised else None
    return Judgement(
        "set", item, Shown.RECONSTRUCTION, annotator, AnnotatorKind.VISION_MODEL, answer, "cat", protocol, repeat
    )


def test_repeats_after_clearer_copies_are_told_from_others() -> None:
    """A repeat counts as after clearer copies where its annotator judged other reconstructions of the original."""
    judgements = []
    for annotator in ("ada", "bob"):
        judgements += [
            judgement(annotator, "far", 0, False),
            judgement(annotator, "near", 0, True),
            judgement(annotator, "far", 1, annotator == "ada"),
            judgement(annotator, "sole", 0, True),
            judgement(annotator, "sole", 1, True),
        ]
    judgements.append(judgement("eve", "far", 0, False, "sheets/1"))
    effect = ClearerCopies.of(judgements, ORIGINALS)
    assert (effect.after_clearer.items, effect.after_clearer.first, effect.after_clearer.again) == (2, 0.0, 0.5)
    assert (effect.alone.items, effect.alone.first, effect.alone.again) == (2, 1.0, 1.0)
    assert "| after clearer copies | 2 | 0.0% | 50.0% | +0.0% to +100.0% |" in effect.markdown()


def test_what_cannot_be_told_is_refused() -> None:
    """Sheets without repeats, and items of other sets, are named."""
    with pytest.raises(InvalidAnnotations, match="expected reconstructions that were judged twice"):
        ClearerCopies.of([judgement("ada", "far", 0, True)], ORIGINALS)
    with pytest.raises(InvalidAnnotations, match="expected judgements of items of the sets given"):
        ClearerCopies.of([judgement("ada", "unknown", 0, True)], ORIGINALS)
