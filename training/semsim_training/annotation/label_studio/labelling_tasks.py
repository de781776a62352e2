"""Tasks for Label Studio in its JSON format: blind images, the labelling interface, and a key apart.

A task holds one image as a data URI and the opaque name of its item. Nothing is uploaded: the files are for Label
Studio's import page.
"""

import base64
import io
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from semsim.exceptions import InvalidOption
from semsim_training.annotation.enlargement import enlarged
from semsim_training.annotation.items import ItemSet
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import ShownItem, TaskKey, write_key
from semsim_training.annotation.order import chosen
from semsim_training.reconstructions.schema import SPLITS

PROTOCOL = "label-studio/1"
QUESTION, IMAGE = "shows", "image"
UNRECOGNIZABLE_CHOICE = "Unrecognizable"


def write_tasks(
    dataset: Path,
    out: Path,
    key: Path,
    *,
    splits: Collection[str] = SPLITS,
    limit: int | None = None,
    clean: int = 0,
    noise: int = 0,
    seed: int = 0,
    side: int = 256,
    judgements: Iterable[Judgement] = (),
) -> TaskKey:
    """Write ``tasks.json`` and ``config.xml`` into ``out``, and the key to ``key``.

    Label Studio shows tasks in any order, so the clean gold items are originals of the *other* splits: no original goes
    out together with its reconstructions. Images are enlarged to ``side`` pixels by repeating pixels. Judgements of the
    tasks' items go along, a person's as an annotation, a model's as a prediction. Judgements of repeats stay behind.

    Raises:
        InvalidDataset: no finished set, too few originals for the gold items, or an original that is needed is missing.
        InvalidOption: clean gold items without a split to take them from, a class with the name of the answer for none,
            or a key that is there already.
    """
    item_set = ItemSet.read(dataset, splits)
    if UNRECOGNIZABLE_CHOICE in item_set.classes:
        raise InvalidOption(
            f"expected no class called {UNRECOGNIZABLE_CHOICE}, which is the answer for none, in {dataset}"
        )
    others = [split for split in SPLITS if split not in splits]
    if clean and not others:
        raise InvalidOption(
            f"expected --split for {clean} gold originals, which are taken from the other splits, got every split"
        )
    gold = item_set.gold(clean, noise, seed, others or splits)
    items = chosen((*chosen(item_set.items, limit, seed), *gold), None, seed)
    made = TaskKey(
        protocol=PROTOCOL,
        classes=item_set.classes,
        items=tuple(
            ShownItem(dataset=item_set.name, item=item.identifier, shown=item.shown, truth=item.truth) for item in items
        ),
    )
    known: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        if judgement.dataset == item_set.name and judgement.repeat == 0:
            known[judgement.item].append(judgement)
    tasks = [_task(item.identifier, item_set.png(item), side, known[item.identifier]) for item in items]
    write_key(made, key)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tasks.json").write_text(json.dumps(tasks, indent=1) + "\n")
    (out / "config.xml").write_text(labelling_interface(item_set.classes))
    return made


def labelling_interface(classes: Sequence[str]) -> str:
    """The project's labelling configuration (XML): the image, and one choice among the classes and none of them."""
    view = Xml.Element("View")
    Xml.SubElement(view, "Header", value="Which of these does the image show? Do not guess.")
    Xml.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", maxWidth="384px", smoothing="false")
    choices = Xml.SubElement(
        view, "Choices", name=QUESTION, toName=IMAGE, choice="single", showInline="true", required="true"
    )
    for name in (*classes, UNRECOGNIZABLE_CHOICE):
        Xml.SubElement(choices, "Choice", value=name)
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode") + "\n"


def _task(item: str, png: bytes, side: int, judgements: Sequence[Judgement]) -> dict[str, Any]:
    sink = io.BytesIO()
    enlarged(png, side, smooth=False).save(sink, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(sink.getvalue()).decode()}"
    people = [judgement for judgement in judgements if judgement.kind is AnnotatorKind.PERSON]
    models = [judgement for judgement in judgements if judgement.kind is not AnnotatorKind.PERSON]
    return {
        "data": {IMAGE: uri, "item": item},
        "annotations": [_annotation(judgement) for judgement in people],
        "predictions": [_prediction(judgement) for judgement in models],
    }


def _annotation(judgement: Judgement) -> dict[str, Any]:
    # Label Studio refuses a `completed_by` that is none of its users, so the pseudonym travels in the result.
    result = _result(judgement) | {"meta": {"annotator": judgement.annotator, "protocol": judgement.protocol}}
    return {"result": [result], "was_cancelled": False, "lead_time": judgement.seconds}


def _prediction(judgement: Judgement) -> dict[str, Any]:
    return {"result": [_result(judgement)], "model_version": judgement.annotator, "score": judgement.confidence}


def _result(judgement: Judgement) -> dict[str, Any]:
    return {
        "from_name": QUESTION,
        "to_name": IMAGE,
        "type": "choices",
        "value": {"choices": [UNRECOGNIZABLE_CHOICE if judgement.answer is None else judgement.answer]},
    }
