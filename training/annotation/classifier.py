"""A recogniser as annotator. What it says is recorded as a classifier's, never as a person's."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim.images import decode
from training.annotation.items import Item, ItemSet
from training.annotation.judgements import AnnotatorKind, Judgement
from training.recognition.recogniser import Recogniser, RecogniserDescription, load_recogniser

FLOOR = 0.5
"""Confidence below which the answer is: unrecognizable."""


def judge(items: ItemSet, gold: Sequence[Item], recogniser: Recogniser, floor: float = FLOOR) -> tuple[Judgement, ...]:
    """What a recogniser of the set's classes says of every item: the most probable one, or nothing below ``floor``."""
    known = recogniser.description
    shown = (*items.items, *gold)
    probabilities = _probabilities(recogniser, shown)
    best = probabilities.argmax(1)
    return tuple(
        Judgement(
            dataset=items.name,
            item=item.identifier,
            shown=item.shown,
            annotator=known.name,
            kind=AnnotatorKind.CLASSIFIER,
            answer=known.classes[label] if confidence >= floor else None,
            truth=item.truth,
            protocol=f"classifier/1 floor {floor:g}",
            confidence=round(float(confidence), 6),
        )
        for item, label, confidence in zip(shown, best, probabilities.max(1), strict=True)
    )


def _probabilities(recogniser: Recogniser, items: Sequence[Item]) -> NDArray[np.float64]:
    images = [decode(item.png) for item in items]
    found = [recogniser.probabilities(np.stack(list(run))) for _, run in groupby(images, key=lambda image: image.shape)]
    return np.concatenate(found)


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
