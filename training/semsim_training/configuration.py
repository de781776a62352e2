"""Values with a schema, read from YAML that people write or from JSON that runs write."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from reprlib import Repr
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import ErrorDetails

from semsim.exceptions import InvalidConfiguration, InvalidDataset, SemSimError

_LONGEST = 60
"""The most characters of a wrong value in an error."""
_SHORT = Repr()
"""Writes the beginning of a value: aliases of YAML make values that would take hours to write as a whole."""
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict, _SHORT.maxset = 4, 8, 8, 8, 8
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 4 * _LONGEST
_NO_MAPPING = {"model_type", "model_attributes_type", "dataclass_type", "dict_type", "mapping_type"}
"""Pydantic's errors for a value that should be a mapping of fields."""


class FrozenModel(BaseModel):
    """A value that cannot be changed, made of the fields of its schema and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Configuration(FrozenModel):
    """A value that people write as a YAML file."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
        """
        import yaml  # descriptions are read without it

        try:
            return cls.model_validate(yaml.safe_load(path.read_text()))
        except OSError as error:
            raise InvalidConfiguration(f"expected a configuration at {path}: {error.strerror}") from error
        except ValidationError as error:
            raise InvalidConfiguration(f"{path} does not fit the schema:{mistakes(error, cls)}") from error
        except Exception as error:  # YAML's own errors, and whatever reading a wrong date or too deep a list raises
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InvalidConfiguration(f"expected YAML in {path}, got: {reason}") from error


class Description(FrozenModel):
    """A value that a run writes as a JSON file."""

    CONTENT: ClassVar[str]
    """The content of such a file in words, for errors: ``a victim's description``."""
    REFUSAL: ClassVar[type[SemSimError]]
    """The error where the file is missing or does not fit."""
    FILE: ClassVar[str] = ""
    """The file's name, where :meth:`read` takes the directory that holds it."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a JSON file.

        Raises:
            SemSimError: the ``REFUSAL``: no such file, or it does not fit the schema.
        """
        path = path / cls.FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise cls.REFUSAL(f"expected {cls.CONTENT} at {path}: {error.strerror}") from error
        except ValidationError as error:
            raise cls.REFUSAL(f"{path} does not fit the schema:{mistakes(error, cls)}") from error


def _as_value_error(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except SemSimError as error:
        raise ValueError(str(error)) from error


LOCATED = WrapValidator(_as_value_error)
"""Makes an error of this project, raised while a field is read, one of that field, so that its place is told."""


def mistakes(error: ValidationError, model: type[BaseModel]) -> str:
    """The mistakes in a value of a model: the only one behind a space, several on a line each.

    Each says where it is, what was expected and what came: ``settings.3.count: expected ..., got 0``.
    """
    lines = list(dict.fromkeys(_mistake(details, model) for details in error.errors(include_url=False)))
    return (" " if len(lines) == 1 else "\n  ").join(["", *lines])


def _mistake(details: ErrorDetails, model: type[BaseModel]) -> str:
    place, kind, message = details["loc"], details["type"], details["msg"]
    got = _SHORT.repr(details["input"])
    got = got if len(got) <= _LONGEST else f"{got[:_LONGEST]}..."
    if kind == "value_error":
        text = str(details["ctx"]["error"])
    elif kind == "missing":
        text = "expected a value, got none"
    elif kind == "extra_forbidden":
        known = ", ".join(name for one in _models_at(model, place[:-1]) for name in one.model_fields)
        place, text = place[:-1], f"expected a field of {known}, got {place[-1]}"
    elif kind in _NO_MAPPING:
        text = f"expected a mapping, got {got}"
    elif message.startswith("Input should be "):
        wanted = message.removeprefix("Input should be ").partition(", unable to")[0]
        text = f"expected {'a number ' * wanted.startswith(('greater', 'less'))}{wanted}, got {got}"
    elif kind == "path_type":
        text = f"expected a path, got {got}"
    else:
        what, should, rule = message.partition(" should ")
        text = f"expected {what.lower()} to {rule}" if should else f"{message[0].lower()}{message[1:]}"
    where = ".".join(map(str, place))
    return f"{where}: {text}" if where else text


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


def expanded(path: Path) -> Path:
    """The path with its variables put in.

    Raises:
        InvalidDataset: a variable is not set.
    """
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        raise InvalidDataset(f"expected the variable in {path} to be set")
    return Path(expanded)
