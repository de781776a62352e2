"""A recogniser as annotator. Its judgements are recorded as a classifier's, never as a person's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidAnnotations
from semsim.images import decode
from semsim_training.annotation.items import Item, ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.recognition.recogniser import Recogniser, load_recogniser
from semsim_training.recognition.recogniser_description import RecogniserDescription

FLOOR = 0.5
"""The least confidence for which the answer is a class."""


def judge(
    item_set: ItemSet, gold: Sequence[Item], recogniser: Recogniser, floor: float = FLOOR
) -> tuple[Judgement, ...]:
    """The judgements of a recogniser of the set's classes: the most probable class, or unrecognizable below ``floor``.

    Judged are all of ``gold``, and the reconstructions of the originals in ``gold`` that it recognises. Where it does
    not know the original either, its judgement would tell of the recogniser, not of the attack.

    Raises:
        InvalidDataset: an original is missing.
    """
    classes = item_set.classes
    predictions = dict(zip((item.identifier for item in gold), _predictions(recogniser, item_set, gold), strict=True))
    known = {
        item.image
        for item in gold
        if item.shown is Shown.CLEAN and predictions[item.identifier].answer(classes, floor) == item.truth
    }
    asked = [item for item in item_set.items if item.image in known]
    predictions |= zip((item.identifier for item in asked), _predictions(recogniser, item_set, asked), strict=True)
    return tuple(
        Judgement(
            dataset=item_set.name,
            item=item.identifier,
            shown=item.shown,
            annotator=recogniser.description.name,
            kind=AnnotatorKind.CLASSIFIER,
            answer=predictions[item.identifier].answer(classes, floor),
            truth=item.truth,
            protocol=f"classifier/1, floor {floor:g}, originals it recognises",
            confidence=round(predictions[item.identifier].confidence, 6),
        )
        for item in (*asked, *gold)
    )


@dataclass(frozen=True, slots=True)
class _ClassPrediction:
    """The most probable class of an image."""

    label: int
    confidence: float
    """0..1."""

    def answer(self, classes: Sequence[str], floor: float) -> str | None:
        return classes[self.label] if self.confidence >= floor else None


def _predictions(recogniser: Recogniser, item_set: ItemSet, items: Sequence[Item]) -> list[_ClassPrediction]:
    images = [decode(item_set.png(item)) for item in items]
    rows = [
        row
        for _, run in groupby(images, key=lambda image: image.shape)
        for row in recogniser.probabilities(np.stack(list(run)))
    ]
    return [_ClassPrediction(int(row.argmax()), float(row.max())) for row in rows]


def load_recognisers(directory: Path, item_set: ItemSet) -> Iterator[Recogniser]:
    """The recognisers below ``directory`` that know the classes of ``item_set`` and no others, by name.

    Raises:
        InvalidAnnotations: there is none.
        InvalidCheckpoint: a description without its weights.
    """
    descriptions = {path: RecogniserDescription.read(path) for path in sorted(directory.glob("*.json"))}
    fitting = [path for path, description in descriptions.items() if description.classes == item_set.classes]
    if not fitting:
        raise InvalidAnnotations(
            f"expected recognisers of the {len(item_set.classes)} classes of {item_set.name} in {directory}, "
            f"got {', '.join(path.stem for path in descriptions) or 'none'}"
        )
    for path in fitting:
        yield load_recogniser(path.with_suffix(".safetensors"))
