"""The mistakes in a value that does not fit its schema, in words: the place, what was expected and what came."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_LONGEST = 60
"""The most characters of a wrong value in an error."""
_SHORT = Repr()
"""Writes the beginning of a value: aliases of YAML make values that would take hours to write as a whole."""
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict, _SHORT.maxset = 4, 8, 8, 8, 8
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 4 * _LONGEST
_MOST = 12
"""The most mistakes that an error lists."""
_NO_LIST = {"tuple_type", "list_type"}
"""Pydantic's errors for a value that should be a list."""
_NO_MAPPING = {"model_type", "model_attributes_type", "dataclass_type", "dict_type", "mapping_type"}
"""Pydantic's errors for a value that should be a mapping of fields."""

_WANTED = {"path_type": "a path", "int_parsing_size": "an integer that is nearer to 0"}
"""Pydantic's errors whose messages are not in its usual form, and what each of these fields should hold."""


def mistakes(error: ValidationError, model: type[BaseModel]) -> str:
    """The mistakes in a value of a model: the only one behind a space, several on a line each.

    Each says where it is, what was expected and what came: ``settings.3.count: expected ..., got 0``. A misspelt field
    is one mistake; the field that it should have been is not told as missing, too.
    """
    every = error.errors(include_url=False)
    meant = {(*details["loc"][:-1], _meant(details, model)) for details in every}
    lines = [
        _mistake(details, model) for details in every if details["type"] != "missing" or details["loc"] not in meant
    ]
    lines = list(dict.fromkeys(lines))
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} mistakes more"]
    return (" " if len(lines) == 1 else "\n  ").join(["", *lines])


def _meant(details: ErrorDetails, model: type[BaseModel]) -> str:
    """The field that a name which is no field is nearest to; empty where none is near."""
    if details["type"] != "extra_forbidden":
        return ""
    return "".join(_near(str(details["loc"][-1]), _fields_at(model, details["loc"][:-1])))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: ``; did you mean dlg?``, or nothing where no known name is near."""
    return "".join(f"; did you mean {one}?" for one in _near(str(name), known))


def _near(name: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(name[:_LONGEST], list(known), n=1)


def _mistake(details: ErrorDetails, model: type[BaseModel]) -> str:
    place, kind, message = details["loc"], details["type"], details["msg"]
    got = _SHORT.repr(details["input"])
    got = got if len(got) <= _LONGEST else f"{got[:_LONGEST]}..."
    if kind == "value_error":
        text = str(details["ctx"]["error"])
    elif kind == "missing":
        text = "expected a value, got none"
    elif kind == "extra_forbidden":
        known, name = _fields_at(model, place[:-1]), str(place[-1])[:_LONGEST]
        place, text = place[:-1], f"expected a field of {', '.join(known)}, got {name}{did_you_mean(name, known)}"
    elif kind in _NO_MAPPING:
        text = f"expected a mapping, got {got}"
    elif kind in _NO_LIST:
        text = f"expected a list, got {got}"
    elif message.startswith("Input should be "):
        wanted = message.removeprefix("Input should be ").partition(", unable to")[0].partition(", got ")[0]
        text = f"expected {'a number ' * wanted.startswith(('greater', 'less'))}{wanted}, got {got}"
    elif kind in _WANTED:
        text = f"expected {_WANTED[kind]}, got {got}"
    elif kind == "json_invalid":
        text = f"expected JSON, got {message.removeprefix('Invalid JSON: ')}"
    else:
        what, should, rule = message.partition(" should ")
        text = f"expected {what.lower()} to {rule}" if should else f"expected a value that fits ({message}), got {got}"
    where = ".".join(map(str, place))
    return f"{where}: {text}" if where else text


def _fields_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The fields of a value at a place inside a value of ``model``."""
    return [name for one in _models_at(model, place) for name in one.model_fields]


def _models_at(model: type[BaseModel], place: Sequence[int | str]) -> list[type[BaseModel]]:
    """The models of the values at a place inside a value of ``model``."""
    models = [model]
    for part in place:
        inner = [
            one
            for outer in models
            if part in outer.model_fields
            for one in _models_in(outer.model_fields[str(part)].annotation)
        ]
        models = inner or models  # the index of an item and the key of a mapping name no field
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
