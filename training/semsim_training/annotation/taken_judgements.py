"""Judgements that are taken in from a file of somebody else: a bad one is refused alone, and told."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.judgements import Judgement

_NAMED = 5
_NONE = "Unrecognizable"


@dataclass(frozen=True, slots=True)
class TakenJudgements:
    """The judgements of a file, and a sentence for each entry that is none. What is refused is no judgement at all."""

    judgements: tuple[Judgement, ...]
    refused: tuple[str, ...] = ()


def told(refused: Sequence[str]) -> str:
    """The refusals, for an error: the first sentences, and how many more there are."""
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    return f"{'; '.join(refused[:_NAMED])}{more}"


def taken_from(path: Path, judgements: Sequence[Judgement], refused: Sequence[str]) -> TakenJudgements:
    """The judgements of the file ``path``, each annotator's one answer for an item.

    Of the same answer twice one is left, and different answers are refused.

    Raises:
        InvalidAnnotations: every entry of the file was refused.
    """
    given: dict[tuple[str, str, str, int], list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        given[judgement.key].append(judgement)
    kept, contradictions = [], []
    for alike in given.values():
        answers = dict.fromkeys(judgement.answer or _NONE for judgement in alike)
        if len(answers) == 1:
            kept.append(alike[0])
        else:
            said = " and ".join(answers)
            contradictions.append(
                f"expected one answer by {alike[0].annotator} for the item {alike[0].item}, got {said}"
            )
    taken = TakenJudgements(tuple(kept), (*refused, *contradictions))
    if taken.refused and not kept:
        raise InvalidAnnotations(f"expected judgements in {path}, got none: {told(taken.refused)}")
    return taken


def not_yet_known(known: Sequence[Judgement], taken: TakenJudgements) -> TakenJudgements:
    """The judgements that are not known yet: a file is taken in again while it grows, or when it was mended.

    One with another answer than the known judgement is refused.
    """
    answers = {judgement.key: judgement.answer for judgement in known}
    changed = tuple(
        f"expected {answers[judgement.key] or _NONE} by {judgement.annotator} for the item {judgement.item}, as the "
        f"table has it, got {judgement.answer or _NONE}"
        for judgement in taken.judgements
        if answers.get(judgement.key, judgement.answer) != judgement.answer
    )
    new = tuple(judgement for judgement in taken.judgements if judgement.key not in answers)
    return TakenJudgements(new, taken.refused + changed)
