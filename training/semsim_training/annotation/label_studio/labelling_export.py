"""Reads the exports of Label Studio, in its JSON and JSON-MIN formats, and makes judgements of them.

JSON holds tasks with their annotations; JSON-MIN holds a flat object for each annotation. Predictions are not read:
they are the judgements that went out. An error repeats nothing of a file but names, because the file holds the images.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import TaskKey, pseudonym
from semsim_training.annotation.label_studio.labelling_tasks import QUESTION, UNRECOGNIZABLE_CHOICE


class _ResultMeta(BaseModel):
    """The origin of a judgement that went out."""

    annotator: str | None = None
    protocol: str | None = None


class _ExportedResult(BaseModel):
    from_name: str
    value: dict[str, Any]
    meta: _ResultMeta = _ResultMeta()


class _ExportedUser(BaseModel):
    id: int | None = None
    email: str | None = None


class _ExportedAnnotation(BaseModel):
    result: list[_ExportedResult]
    completed_by: int | str | _ExportedUser | None = None
    lead_time: float | None = None
    was_cancelled: bool = False


class _ExportedData(BaseModel):
    item: str


class _ExportedTask(BaseModel):
    data: _ExportedData
    annotations: list[_ExportedAnnotation]


class _FlatAnnotation(BaseModel):
    """An annotation in JSON-MIN. Its choice is a text; several choices would be an object."""

    model_config = ConfigDict(extra="allow")

    item: str
    annotation_id: int | str | None = None
    """``None`` for a task that nobody annotated, which JSON-MIN lists, too."""
    annotator: int | str | _ExportedUser | None = None
    lead_time: float | None = None


class _ExportedFile(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    tasks: list[_ExportedTask | _FlatAnnotation]


def read_export(key: TaskKey, path: Path, names: Mapping[str, str] | None = None) -> tuple[Judgement, ...]:
    """The judgements of people in a Label Studio export; annotations that were skipped are left out.

    Args:
        key: the key of the tasks.
        path: the file that Label Studio exported.
        names: the pseudonym of each user, by the user's number or address in Label Studio. A user without a pseudonym
            becomes ``label-studio-NUMBER``. An address is never kept.

    Raises:
        InvalidAnnotations: no such file, another format, an unknown item or choice, no choice or several, or a user who
            has neither a number nor a pseudonym.
        InvalidOption: a pseudonym with other characters than it may have.
    """
    names = {user: pseudonym(name) for user, name in (names or {}).items()}
    try:
        raw = TypeAdapter(Any).validate_json(path.read_bytes())
        tasks = _ExportedFile(tasks=raw).tasks
    except OSError as error:
        raise InvalidAnnotations(f"expected a Label Studio export at {path}: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidAnnotations(f"expected {path} as Label Studio exports JSON or JSON-MIN: {_where(error)}") from None
    items = {item.item: item for item in key.items}
    judgements = []
    for task in tasks:
        name = task.data.item if isinstance(task, _ExportedTask) else task.item
        if name not in items:
            raise InvalidAnnotations(f"expected items of the key's tasks in {path}, got {name[:40]!r}")
        item = items[name]
        for annotation in _annotations(task):
            answer, meta = _answer(annotation, key.classes, name)
            judgements.append(
                Judgement(
                    key.dataset,
                    name,
                    item.shown,
                    meta.annotator or _pseudonym(annotation.completed_by, names, name),
                    AnnotatorKind.PERSON,
                    answer,
                    item.truth,
                    meta.protocol or key.protocol,
                    seconds=annotation.lead_time,
                )
            )
    return tuple(judgements)


def not_yet_known(known: Sequence[Judgement], exported: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """The exported judgements that are not known yet: a project is exported again and again while it grows.

    Raises:
        InvalidAnnotations: an exported judgement has another answer than the known one.
    """
    answers = {judgement.key: judgement.answer for judgement in known}
    for judgement in exported:
        before = answers.get(judgement.key, judgement.answer)
        if before != judgement.answer:
            raise InvalidAnnotations(
                f"expected {before or UNRECOGNIZABLE_CHOICE} by {judgement.annotator} for {judgement.item}, "
                f"as the table has it, got {judgement.answer or UNRECOGNIZABLE_CHOICE}"
            )
    return tuple(judgement for judgement in exported if judgement.key not in answers)


def _annotations(task: _ExportedTask | _FlatAnnotation) -> list[_ExportedAnnotation]:
    if isinstance(task, _ExportedTask):
        return [annotation for annotation in task.annotations if not annotation.was_cancelled]
    if task.annotation_id is None:
        return []
    chosen = (task.model_extra or {}).get(QUESTION)
    choices = chosen.get("choices") if isinstance(chosen, dict) else [] if chosen is None else [chosen]
    result = _ExportedResult(from_name=QUESTION, value={"choices": choices})
    return [_ExportedAnnotation(result=[result], completed_by=task.annotator, lead_time=task.lead_time)]


def _answer(annotation: _ExportedAnnotation, classes: Sequence[str], item: str) -> tuple[str | None, _ResultMeta]:
    results = [result for result in annotation.result if result.from_name == QUESTION]
    choices = [choice for result in results for choice in result.value.get("choices") or ()]
    if len(choices) != 1:
        raise InvalidAnnotations(f"expected one choice for the item {item}, got {len(choices)}")
    if choices[0] == UNRECOGNIZABLE_CHOICE:
        return None, results[0].meta
    if choices[0] not in classes:
        raise InvalidAnnotations(
            f"expected a class of the key or {UNRECOGNIZABLE_CHOICE} for the item {item}, got {str(choices[0])[:40]!r}"
        )
    return choices[0], results[0].meta


def _pseudonym(user: int | str | _ExportedUser | None, names: Mapping[str, str], item: str) -> str:
    number_or_address = (user.id, user.email) if isinstance(user, _ExportedUser) else (user,)
    for known in map(str, number_or_address):
        if known in names:
            return names[known]
    if str(number_or_address[0]).isdecimal():
        return f"label-studio-{number_or_address[0]}"
    raise InvalidAnnotations(f"expected a user's number or an --annotator for who judged the item {item}, got neither")


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
