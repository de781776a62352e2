"""Reads what Label Studio exports, in its JSON and JSON-MIN formats, back into judgements.

JSON holds a task with its annotations; JSON-MIN a flat object for each annotation. Predictions are not read: they are
the judgements that went out. Nothing of a file is put into an error but names: it holds the images.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import TaskKey, pseudonym
from semsim_training.annotation.label_studio import QUESTION, UNRECOGNIZABLE


class _Meta(BaseModel):
    annotator: str | None = None
    protocol: str | None = None


class _Result(BaseModel):
    from_name: str
    value: dict[str, Any]
    meta: _Meta = _Meta()


class _User(BaseModel):
    id: int | None = None
    email: str | None = None


class _Annotation(BaseModel):
    result: list[_Result]
    completed_by: int | str | _User | None = None
    lead_time: float | None = None
    was_cancelled: bool = False


class _Data(BaseModel):
    item: str


class _Task(BaseModel):
    data: _Data
    annotations: list[_Annotation]


class _Flat(BaseModel):
    """An annotation in JSON-MIN, whose answer is a text; several choices would be an object."""

    model_config = ConfigDict(extra="allow")

    item: str
    annotation_id: int | str | None = None
    """``None`` for a task that nobody annotated, which the format has, too."""
    annotator: int | str | _User | None = None
    lead_time: float | None = None


class _Export(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    tasks: list[_Task | _Flat]


def read_export(key: TaskKey, path: Path, names: Mapping[str, str] | None = None) -> tuple[Judgement, ...]:
    """The judgements of people in a Label Studio export; annotations that were skipped are left out.

    Args:
        key: of the tasks.
        path: the file that Label Studio exported.
        names: a user's number or address in Label Studio to a pseudonym; a user without becomes
            ``label-studio-NUMBER``, and an address is never kept.

    Raises:
        InvalidAnnotations: no such file, another format, an unknown item or choice, none or several choices, or a user
            who has neither a number nor a pseudonym.
        InvalidOption: a pseudonym that cannot be one.
    """
    names = {user: pseudonym(name) for user, name in (names or {}).items()}
    try:
        raw = TypeAdapter(Any).validate_json(path.read_bytes())
        tasks = _Export(tasks=raw).tasks
    except OSError as error:
        raise InvalidAnnotations(f"expected a Label Studio export at {path}: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidAnnotations(f"expected {path} as Label Studio exports JSON or JSON-MIN: {_where(error)}") from None
    items = {one.item: one for one in key.items}
    found = []
    for task in tasks:
        name = task.data.item if isinstance(task, _Task) else task.item
        if name not in items:
            raise InvalidAnnotations(f"expected items of the key's tasks in {path}, got {name[:40]!r}")
        item = items[name]
        for annotation in _annotations(task):
            answer, meta = _answer(annotation, key.classes, name)
            found.append(
                Judgement(
                    key.dataset,
                    name,
                    item.shown,
                    meta.annotator or _name(annotation.completed_by, names, name),
                    AnnotatorKind.PERSON,
                    answer,
                    item.truth,
                    meta.protocol or key.protocol,
                    seconds=annotation.lead_time,
                )
            )
    return tuple(found)


def not_yet_known(known: Sequence[Judgement], found: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """What ``found`` adds to ``known``: a project is exported again and again while it grows.

    Raises:
        InvalidAnnotations: an answer that is not what it was.
    """
    answers = {one.key: one.answer for one in known}
    for one in found:
        before = answers.get(one.key, one.answer)
        if before != one.answer:
            raise InvalidAnnotations(
                f"expected {before or UNRECOGNIZABLE} by {one.annotator} for {one.item}, as the table has it, "
                f"got {one.answer or UNRECOGNIZABLE}"
            )
    return tuple(one for one in found if one.key not in answers)


def _annotations(task: _Task | _Flat) -> list[_Annotation]:
    if isinstance(task, _Task):
        return [one for one in task.annotations if not one.was_cancelled]
    if task.annotation_id is None:
        return []
    answer = (task.model_extra or {}).get(QUESTION)
    choices = answer.get("choices") if isinstance(answer, dict) else [] if answer is None else [answer]
    result = _Result(from_name=QUESTION, value={"choices": choices})
    return [_Annotation(result=[result], completed_by=task.annotator, lead_time=task.lead_time)]


def _answer(annotation: _Annotation, classes: Sequence[str], item: str) -> tuple[str | None, _Meta]:
    results = [one for one in annotation.result if one.from_name == QUESTION]
    choices = [choice for one in results for choice in one.value.get("choices") or ()]
    if len(choices) != 1:
        raise InvalidAnnotations(f"expected one choice for the item {item}, got {len(choices)}")
    if choices[0] == UNRECOGNIZABLE:
        return None, results[0].meta
    if choices[0] not in classes:
        raise InvalidAnnotations(
            f"expected a class of the key or {UNRECOGNIZABLE} for the item {item}, got {str(choices[0])[:40]!r}"
        )
    return choices[0], results[0].meta


def _name(user: int | str | _User | None, names: Mapping[str, str], item: str) -> str:
    found = (user.id, user.email) if isinstance(user, _User) else (user,)
    for one in found:
        if str(one) in names:
            return names[str(one)]
    if str(found[0]).isdecimal():
        return f"label-studio-{found[0]}"
    raise InvalidAnnotations(f"expected a user's number or an --annotator for who judged the item {item}, got neither")


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
