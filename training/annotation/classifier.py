"""A recogniser as annotator. What it says is recorded as a classifier's, never as a person's."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim.images import decode
from training.annotation.items import Item, ItemSet
from training.annotation.judgements import AnnotatorKind, Judgement
from training.recognition.recogniser import Recogniser

FLOOR = 0.5
"""Confidence below which the answer is: unrecognizable."""


def judge(items: ItemSet, gold: Sequence[Item], recogniser: Recogniser, floor: float = FLOOR) -> tuple[Judgement, ...]:
    """What the recogniser says of every item: its most probable class, or nothing below ``floor``.

    Raises:
        InvalidAnnotations: it knows other classes than the set's.
    """
    known = recogniser.description
    if known.classes != items.classes:
        raise InvalidAnnotations(
            f"expected a recogniser of the {len(items.classes)} classes of {items.name}, "
            f"got {known.name} with {len(known.classes)} classes of {known.dataset}"
        )
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


def recogniser_paths(directory: Path, dataset: str) -> list[Path]:
    """The checkpoints below ``directory`` whose recognisers know the classes of ``dataset``.

    Raises:
        InvalidAnnotations: there is none.
    """
    from training.recognition.recogniser import RecogniserDescription

    found = [
        path
        for path in sorted(directory.glob("*.safetensors"))
        if not path.name.endswith(".state.safetensors")
        and RecogniserDescription.read(path.with_suffix(".json")).dataset == dataset
    ]
    if not found:
        raise InvalidAnnotations(f"expected recognisers of {dataset} in {directory}, got none")
    return found
