"""Tasks for Label Studio."""

import base64
import io
import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidOption
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import TaskKey
from semsim_training.annotation.label_studio.labelling_tasks import labelling_interface, write_tasks


def judgement_of(item: str, annotator: str, kind: AnnotatorKind, **more: object) -> Judgement:
    """A judgement that goes along with the tasks."""
    return Judgement(
        "secretset", item, Shown.RECONSTRUCTION, annotator, kind, None, "class_0", "page/1", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_tasks_are_blind_and_hold_their_images(wide_set: Path, tmp_path: Path) -> None:
    """A task holds an opaque name and a PNG, and nothing else. The key says what they are."""
    key = write_tasks(
        wide_set, tmp_path / "out", tmp_path / "key.json", splits=["test"], limit=5, clean=2, noise=1, side=128
    )
    assert TaskKey.read(tmp_path / "key.json") == key
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [task["data"]["item"] for task in tasks] == [one.item for one in key.items]
    shown = [one.shown for one in key.items]
    assert {kind: shown.count(kind) for kind in Shown} == {"reconstruction": 5, "clean": 2, "noise": 1}
    item_set = ItemSet.read(wide_set, ["test"])
    pngs = {item.identifier: item_set.png(item) for item in item_set.items}
    for task in tasks:
        assert set(task) == {"data", "annotations", "predictions"}
        assert set(task["data"]) == {"image", "item"}
        head, _, body = task["data"]["image"].partition(",")
        assert head == "data:image/png;base64"
        image = Image.open(io.BytesIO(base64.b64decode(body)))
        assert (image.size, image.info) == ((128, 128), {})
        if task["data"]["item"] in pngs:
            small = np.asarray(Image.open(io.BytesIO(pngs[task["data"]["item"]])))
            np.testing.assert_array_equal(np.asarray(image), small.repeat(2, axis=0).repeat(2, axis=1))


def test_no_original_goes_out_with_its_reconstructions(wide_set: Path, tmp_path: Path) -> None:
    """Clean gold items are originals of other splits. Where there are no other splits, they are refused."""
    key = write_tasks(wide_set, tmp_path / "out", tmp_path / "key.json", splits=["test"], clean=20, side=32)
    item_set = ItemSet.read(wide_set, ["test"])
    test = item_set.originals
    clean = {item.identifier: item.image for item in item_set.gold(20, 0, 0, ["train", "validation"])}
    shown = {one.item for one in key.items}
    assert set(test) | set(clean) == shown
    assert not set(test.values()) & set(clean.values())
    with pytest.raises(InvalidOption, match="expected --split for 2 gold originals"):
        write_tasks(wide_set, tmp_path / "all", tmp_path / "all.json", clean=2)


def test_judgements_go_along(wide_set: Path, tmp_path: Path) -> None:
    """A person's judgement is an annotation, a model's a prediction. Repeats and other items stay behind."""
    item = ItemSet.read(wide_set, ["test"]).items[0].identifier
    judgements = [
        judgement_of(item, "ada", AnnotatorKind.PERSON, seconds=2.5),
        judgement_of(item, "ada", AnnotatorKind.PERSON, repeat=1),
        judgement_of(item, "net", AnnotatorKind.CLASSIFIER, confidence=0.25),
        judgement_of("elsewhere", "net", AnnotatorKind.CLASSIFIER),
    ]
    write_tasks(wide_set, tmp_path / "out", tmp_path / "key.json", splits=["test"], judgements=judgements, side=32)
    tasks = {task["data"]["item"]: task for task in json.loads((tmp_path / "out" / "tasks.json").read_text())}
    task = tasks.pop(item)
    (annotation,), (prediction,) = task["annotations"], task["predictions"]
    assert annotation["lead_time"] == 2.5
    assert annotation["result"][0]["value"] == {"choices": ["Unrecognizable"]}
    assert "completed_by" not in annotation
    assert (prediction["model_version"], prediction["score"]) == ("net", 0.25)
    assert not any(task["annotations"] or task["predictions"] for task in tasks.values())


def test_the_interface_offers_every_class_and_none() -> None:
    """The annotator chooses one of them, in XML that holds any name."""
    view = Xml.fromstring(labelling_interface(["cat", 'a "b" & <c>']))  # noqa: S314  # our own
    choices = view.find("Choices")
    assert choices is not None
    assert choices.get("toName") == "image"
    assert [one.get("value") for one in choices] == ["cat", 'a "b" & <c>', "Unrecognizable"]


def test_a_key_is_not_overwritten(wide_set: Path, tmp_path: Path) -> None:
    """A key that is there is refused, and nothing is written beside it."""
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(InvalidOption, match="expected no file yet at"):
        write_tasks(wide_set, tmp_path / "out", tmp_path / "key.json", splits=["test"], limit=1)
    assert not (tmp_path / "out").exists()
