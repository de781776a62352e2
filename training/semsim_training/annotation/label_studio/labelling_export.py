"""Reads the exports of Label Studio, in its JSON and JSON-MIN formats, and makes judgements of them.

JSON holds tasks with their annotations; JSON-MIN holds a flat object for each annotation. Predictions are not read:
they are the judgements that went out. An error repeats nothing of a file but names, because the file holds the images.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, ValidationError

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, Judgement
from semsim_training.annotation.keys import ShownItem, TaskKey, pseudonym
from semsim_training.annotation.label_studio.labelling_tasks import QUESTION, UNRECOGNIZABLE_CHOICE
from semsim_training.annotation.taken_judgements import TakenJudgements, taken_from

_ENTRIES = TypeAdapter(list[Any])


class _ResultMeta(BaseModel):
    """The origin of a judgement that went out."""

    annotator: str | None = None
    protocol: str | None = None


class _ExportedResult(BaseModel):
    from_name: str
    value: dict[str, Any]
    meta: _ResultMeta = _ResultMeta()


class _ExportedUser(BaseModel):
    id: StrictInt | None = None
    email: str | None = None


_Who = StrictInt | str | _ExportedUser | None
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class _ExportedAnnotation(BaseModel):
    result: list[_ExportedResult]
    completed_by: _Who = None
    lead_time: _Seconds = None
    was_cancelled: bool = False


class _ExportedData(BaseModel):
    item: str


class _ExportedTask(BaseModel):
    data: _ExportedData
    annotations: list[Any]


class _FlatAnnotation(BaseModel):
    """An annotation in JSON-MIN. Its choice is a text; several choices would be an object."""

    model_config = ConfigDict(extra="allow")

    item: str
    annotation_id: int | str | None = None
    """``None`` for a task that nobody annotated, which JSON-MIN lists, too."""
    annotator: _Who = None
    lead_time: _Seconds = None


def read_export(key: TaskKey, path: Path, names: Mapping[str, str] | None = None) -> TakenJudgements:
    """The judgements of people in a Label Studio export; annotations that were skipped are left out.

    Refused alone are a task of an unknown item or of another form, and an annotation with an unknown choice, without a
    choice or with several, or by a user who has neither a number nor a pseudonym.

    Args:
        key: the key of the tasks.
        path: the file that Label Studio exported.
        names: the pseudonym of each user, by the user's number or address in Label Studio. A user without a pseudonym
            becomes ``label-studio-NUMBER``. An address is never kept.

    Raises:
        InvalidAnnotations: no such file, another format, or no annotation that can be taken.
        InvalidOption: a pseudonym with other characters than it may have.
    """
    names = {user: pseudonym(name) for user, name in (names or {}).items()}
    try:
        tasks = _ENTRIES.validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidAnnotations(f"expected a Label Studio export at {path}: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidAnnotations(f"expected {path} as Label Studio exports JSON or JSON-MIN: {_where(error)}") from None
    items = {item.item: item for item in key.items}
    judgements: list[Judgement] = []
    refused: list[str] = []
    for number, entry in enumerate(tasks):
        try:
            name, annotations = _annotations(entry, set(items))
        except InvalidAnnotations as error:
            refused.append(f"task {number}: {error}")
            continue
        for annotation in annotations:
            try:
                judgements += _judged(annotation, key, items[name], names)
            except InvalidAnnotations as error:
                refused.append(f"task {number}: {error}")
    return taken_from(path, judgements, refused)


def _annotations(entry: object, items: Collection[str]) -> tuple[str, list[Any]]:
    """The item and the annotations of an entry, in the form that JSON has."""
    try:
        if isinstance(entry, dict) and "data" in entry:
            task = _ExportedTask.model_validate(entry)
            name, annotations = task.data.item, task.annotations
        else:
            flat = _FlatAnnotation.model_validate(entry)
            name, annotations = flat.item, [] if flat.annotation_id is None else [_unfolded(flat)]
    except ValidationError as error:
        raise InvalidAnnotations(f"expected a task as JSON or JSON-MIN has it: {_where(error)}") from None
    if name not in items:
        raise InvalidAnnotations(f"expected an item of the key's tasks, got {name[:40]!r}")
    return name, annotations


def _unfolded(flat: _FlatAnnotation) -> _ExportedAnnotation:
    chosen = (flat.model_extra or {}).get(QUESTION)
    choices = chosen.get("choices") if isinstance(chosen, dict) else [] if chosen is None else [chosen]
    result = _ExportedResult(from_name=QUESTION, value={"choices": choices})
    return _ExportedAnnotation(result=[result], completed_by=flat.annotator, lead_time=flat.lead_time)


def _judged(written: object, key: TaskKey, item: ShownItem, names: Mapping[str, str]) -> list[Judgement]:
    """The judgement of an annotation; none of one that was skipped."""
    try:
        annotation = _ExportedAnnotation.model_validate(written)
    except ValidationError as error:
        raise InvalidAnnotations(f"expected an annotation of the item {item.item}: {_where(error)}") from None
    if annotation.was_cancelled:
        return []
    answer, meta = _answer(annotation, key.classes, item.item)
    annotator = _pseudonym(annotation.completed_by, names, item.item) if not meta.annotator else _known(meta, item.item)
    protocol = meta.protocol or key.protocol
    return [
        Judgement(
            item.dataset, item.item, item.shown, annotator, AnnotatorKind.PERSON, answer, item.truth, protocol,
            seconds=annotation.lead_time,
        )
    ]  # fmt: skip


def _answer(annotation: _ExportedAnnotation, classes: Sequence[str], item: str) -> tuple[str | None, _ResultMeta]:
    results = [result for result in annotation.result if result.from_name == QUESTION]
    lists = [result.value.get("choices") or [] for result in results]
    choices = [choice for one in lists for choice in (one if isinstance(one, list) else [one])]
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


def _known(meta: _ResultMeta, item: str) -> str:
    try:
        return pseudonym(str(meta.annotator))
    except InvalidOption:  # it may be an address, which is not repeated
        raise InvalidAnnotations(f"expected a pseudonym of who judged the item {item}, got another name") from None


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
