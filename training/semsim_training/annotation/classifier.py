"""A recogniser as annotator. What it says is recorded as a classifier's, never as a person's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidAnnotations
from semsim.images import decode
from semsim_training.annotation.items import Item, ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.recognition.recogniser import Recogniser, RecogniserDescription, load_recogniser

FLOOR = 0.5
"""Confidence below which the answer is: unrecognizable."""


def judge(items: ItemSet, gold: Sequence[Item], recogniser: Recogniser, floor: float = FLOOR) -> tuple[Judgement, ...]:
    """What a recogniser of the set's classes says: the most probable class, or unrecognizable below ``floor``.

    It judges all of ``gold``, and the reconstructions of those originals in it that it recognises: where it does not
    know the original either, its answer tells of the recogniser, not of the attack.
    """
    known = {
        one.image: items.classes.index(one.truth) for one in gold if one.shown is Shown.CLEAN and one.truth is not None
    }
    answers = dict(zip((one.identifier for one in gold), _answers(recogniser, gold), strict=True))
    competent = {
        one.image for one in gold if one.image in known and answers[one.identifier].given(floor) == known[one.image]
    }
    asked = [item for item in items.items if item.image in competent]
    answers |= dict(zip((one.identifier for one in asked), _answers(recogniser, asked), strict=True))
    return tuple(
        Judgement(
            dataset=items.name,
            item=item.identifier,
            shown=item.shown,
            annotator=recogniser.description.name,
            kind=AnnotatorKind.CLASSIFIER,
            answer=None if (label := answers[item.identifier].given(floor)) is None else items.classes[label],
            truth=item.truth,
            protocol=f"classifier/1, floor {floor:g}, originals it recognises",
            confidence=round(answers[item.identifier].confidence, 6),
        )
        for item in (*asked, *gold)
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    label: int
    """Of the most probable class."""
    confidence: float

    def given(self, floor: float) -> int | None:
        return self.label if self.confidence >= floor else None


def _answers(recogniser: Recogniser, items: Sequence[Item]) -> list[_Answer]:
    images = [decode(item.png) for item in items]
    rows = [
        row
        for _, run in groupby(images, key=lambda image: image.shape)
        for row in recogniser.probabilities(np.stack(list(run)))
    ]
    return [_Answer(int(row.argmax()), float(row.max())) for row in rows]


def load_recognisers(directory: Path, items: ItemSet) -> Iterator[Recogniser]:
    """The recognisers below ``directory`` that know the classes of ``items`` and no others, by name.

    Raises:
        InvalidAnnotations: there is none.
        InvalidCheckpoint: a description without its weights.
    """
    described = {path: RecogniserDescription.read(path) for path in sorted(directory.glob("*.json"))}
    fitting = [path for path, known in described.items() if known.classes == items.classes]
    if not fitting:
        raise InvalidAnnotations(
            f"expected recognisers of the {len(items.classes)} classes of {items.name} in {directory}, "
            f"got {', '.join(path.stem for path in described) or 'none'}"
        )
    for path in fitting:
        yield load_recogniser(path.with_suffix(".safetensors"))
