"""Exports of Label Studio, read back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import ShownItem, TaskKey
from semsim_training.annotation.label_studio.labelling_export import read_export
from semsim_training.annotation.label_studio.labelling_tasks import write_tasks
from semsim_training.annotation.taken_judgements import TakenJudgements, not_yet_known

KEY = TaskKey(
    protocol="label-studio/1",
    classes=("cat", "dog"),
    items=(
        ShownItem(dataset="set", item="aa", shown=Shown.RECONSTRUCTION, truth="cat"),
        ShownItem(dataset="set", item="bb", shown=Shown.NOISE, truth=None),
    ),
)
IMAGE = "data:image/png;base64,SECRET"


def annotation(choice: object, **more: Any) -> dict[str, Any]:
    """An annotation in the JSON format."""
    result = {"id": "x1", "type": "choices", "from_name": "shows", "to_name": "image", "origin": "manual"}
    return {
        "id": 7, "was_cancelled": False, "ground_truth": False, "lead_time": 3.25, "completed_by": 10,
        "result": [result | {"value": {"choices": [choice]}}],
    } | more  # fmt: skip


def task(item: str, *annotations: object) -> dict[str, Any]:
    """A task in the JSON format."""
    return {
        "id": 1, "project": 83, "data": {"image": IMAGE, "item": item}, "meta": {}, "predictions": [{"id": 4}],
        "annotations": list(annotations),
    }  # fmt: skip


def flat(item: str, choice: object, **more: Any) -> dict[str, Any]:
    """An annotation in the JSON-MIN format."""
    return {
        "image": IMAGE, "item": item, "id": 1, "shows": choice, "annotator": 10, "annotation_id": 7, "lead_time": 3.25,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    } | more  # fmt: skip


def taken(tmp_path: Path, *entries: object, names: dict[str, str] | None = None) -> TakenJudgements:
    """The judgements that an export gives, and those that were refused."""
    path = tmp_path / "export.json"
    path.write_text(json.dumps(entries))
    return read_export(KEY, path, names)


def exported(tmp_path: Path, *entries: object, names: dict[str, str] | None = None) -> tuple[Judgement, ...]:
    """The judgements of an export of which nothing is refused."""
    read = taken(tmp_path, *entries, names=names)
    assert not read.refused
    return read.judgements


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    """Both give the answer, time and annotator of each annotation. A skipped annotation is none."""
    full = exported(
        tmp_path,
        task("aa", annotation("dog"), annotation("cat", completed_by={"id": 11, "email": "b@example.org"})),
        task("bb", annotation("Unrecognizable"), annotation("cat", was_cancelled=True, completed_by=11)),
    )
    assert full[0] == Judgement(
        "set", "aa", Shown.RECONSTRUCTION, "label-studio-10", AnnotatorKind.PERSON, "dog", "cat", "label-studio/1",
        seconds=3.25,
    )  # fmt: skip
    assert [(one.item, one.annotator, one.answer) for one in full[1:]] == [
        ("aa", "label-studio-11", "cat"), ("bb", "label-studio-10", None),
    ]  # fmt: skip
    entries = flat("aa", "dog"), flat("aa", "cat", annotator=11), flat("bb", "Unrecognizable")
    assert exported(tmp_path, *entries) == full
    assert exported(tmp_path, task("aa"), {"image": IMAGE, "item": "bb", "id": 2, "annotation_id": None}) == ()


def test_users_become_pseudonyms(tmp_path: Path) -> None:
    """Users are known by number or address. An address without a pseudonym is refused and not repeated."""
    by_address = flat("aa", "cat", annotator="ada@example.org")
    names = {"10": "ada", "ada@example.org": "ada"}
    assert exported(tmp_path, flat("aa", "cat"), names=names)[0].annotator == "ada"
    assert exported(tmp_path, by_address, names=names)[0].annotator == "ada"
    with pytest.raises(InvalidAnnotations, match="expected a user's number or an --annotator") as refused:
        taken(tmp_path, by_address)
    assert "example.org" not in str(refused.value)
    with pytest.raises(InvalidOption, match="expected an annotator's pseudonym"):
        exported(tmp_path, by_address, names={"ada@example.org": "ada@example.org"})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (task("zz", annotation("cat")), "expected an item of the key's tasks, got 'zz'"),
        (task("aa", annotation("emu")), "expected a class of the key or Unrecognizable for the item aa, got 'emu'"),
        (task("aa", annotation("cat", result=[])), "expected one choice for the item aa, got 0"),
        (flat("aa", {"choices": ["cat", "dog"]}), "expected one choice for the item aa, got 2"),
        ({"image": IMAGE, "item": "aa", "annotation_id": 7}, "expected one choice for the item aa, got 0"),
        (
            {"data": {"image": IMAGE}, "annotations": []},
            "task 0: expected a task as JSON or JSON-MIN has it: data.item: Field required",
        ),
        ([IMAGE], "expected a task as JSON or JSON-MIN has it"),
        (None, "expected a task as JSON or JSON-MIN has it"),
        (task("aa", annotation("cat", result=None)), "expected an annotation of the item aa: result: "),
        (task("aa", annotation("cat", result=[{"from_name": "shows", "value": None}])), "item aa: result.0.value: "),
        (task("aa", annotation("cat", result=[{}])), "item aa: result.0.from_name: Field required"),
        (task("aa", annotation(None)), "expected a class of the key or Unrecognizable for the item aa, got 'None'"),
        (task("aa", annotation(["cat"])), "expected a class of the key or Unrecognizable for the item aa, got "),
        (task("aa", annotation("")), "expected a class of the key or Unrecognizable for the item aa, got ''"),
        (task("aa", annotation("cat", completed_by=None)), "expected a user's number or an --annotator"),
        (task("aa", annotation("cat", completed_by=True)), "item aa: completed_by"),
        (task("aa", annotation("cat", completed_by={"id": None})), "expected a user's number or an --annotator"),
        (
            task(
                "aa",
                annotation(
                    "cat",
                    result=[
                        {"from_name": "shows", "value": {"choices": ["cat"]}, "meta": {"annotator": "a@SECRET.org"}},
                    ],
                ),
            ),
            "expected a pseudonym of who judged the item aa, got another name",
        ),
        (task("aa", annotation("cat", lead_time=-3)), "item aa: lead_time: "),
        (task("aa", "cat"), "expected an annotation of the item aa: "),
        (flat("aa", "cat", annotator=None), "expected a user's number or an --annotator"),
    ],
)
def test_a_bad_entry_is_refused_alone(tmp_path: Path, entry: object, message: str) -> None:
    """The error says what was expected, and never repeats the image; the other judgements are taken."""
    with pytest.raises(InvalidAnnotations, match=message) as refused:
        taken(tmp_path, entry)
    assert "SECRET" not in str(refused.value)
    assert refused.value.__cause__ is None
    good = task("bb", annotation("dog")), task("aa", annotation("cat", completed_by=11))
    both = taken(tmp_path, good[0], entry, good[1])
    assert both.judgements == exported(tmp_path, *good)
    (sentence,) = both.refused
    assert sentence.startswith("task 1: ")
    assert "SECRET" not in sentence


def test_a_bad_annotation_leaves_the_others_of_its_task(tmp_path: Path) -> None:
    """An empty result of one user says nothing about another user's."""
    read = taken(tmp_path, task("aa", annotation("cat", result=[]), annotation("dog", completed_by=11)))
    assert [(one.annotator, one.answer) for one in read.judgements] == [("label-studio-11", "dog")]
    assert read.refused == ("task 0: expected one choice for the item aa, got 0",)


def test_two_answers_of_a_user_are_none(tmp_path: Path) -> None:
    """The same answer twice is one; different answers are refused, and nobody's others are."""
    other = task("bb", annotation("dog"))
    assert exported(tmp_path, task("aa", annotation("cat"), annotation("cat")), other) == exported(
        tmp_path, task("aa", annotation("cat")), other
    )
    read = taken(tmp_path, task("aa", annotation("cat"), annotation("Unrecognizable")), other)
    assert [one.item for one in read.judgements] == ["bb"]
    assert read.refused == ("expected one answer by label-studio-10 for the item aa, got cat and Unrecognizable",)


def test_files_that_are_no_json_are_refused(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(InvalidAnnotations, match=r"expected a Label Studio export at .*: No such file"):
        read_export(KEY, tmp_path / "nowhere.json")
    (tmp_path / "x.json").write_text("[{")
    with pytest.raises(
        InvalidAnnotations, match=r"x\.json as Label Studio exports JSON or JSON-MIN: the file: Invalid JSON"
    ):
        read_export(KEY, tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"tasks": []}')
    with pytest.raises(InvalidAnnotations, match=r"exports JSON or JSON-MIN: the file: Input should be a valid array"):
        read_export(KEY, tmp_path / "x.json")


def test_a_growing_project_is_imported_again(tmp_path: Path) -> None:
    """Known judgements are passed over; one whose answer has changed is refused, and the others are not."""
    first = exported(tmp_path, task("aa", annotation("dog")))
    both = exported(tmp_path, task("aa", annotation("dog")), task("bb", annotation("Unrecognizable")))
    assert not_yet_known(first, TakenJudgements(both)) == TakenJudgements(both[1:])
    changed = not_yet_known(first, TakenJudgements((replace(both[0], answer=None), both[1])))
    assert changed.judgements == both[1:]
    assert changed.refused == (
        "expected dog by label-studio-10 for the item aa, as the table has it, got Unrecognizable",
    )


def test_judgements_go_round(wide_set: Path, tmp_path: Path) -> None:
    """A person's judgements come back as they went out, with pseudonym and protocol. A model's do not come back."""
    items = ItemSet.read(wide_set, ["test"]).items[:3]
    people = [
        Judgement(
            "secretset", item.identifier, item.shown, "ada", AnnotatorKind.PERSON, answer, item.truth, "page/1",
            seconds=1.5,
        )
        for item, answer in zip(items, ("class_0", None, "class_1"), strict=True)
    ]  # fmt: skip
    model = replace(people[0], annotator="net", kind=AnnotatorKind.CLASSIFIER, confidence=0.5)
    key = write_tasks(
        wide_set, tmp_path / "out", tmp_path / "key.json", splits=["test"], judgements=[*people, model], side=64
    )
    read = read_export(key, tmp_path / "out" / "tasks.json")
    assert not read.refused
    assert sorted(read.judgements, key=lambda one: one.item) == sorted(people, key=lambda one: one.item)
