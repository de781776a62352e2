"""Values with a schema, read from YAML that people write or from JSON that runs write."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from semsim.exceptions import InvalidConfiguration, InvalidDataset, SemSimError
from semsim.schema_mistakes import mistakes


class FrozenModel(BaseModel):
    """A value that cannot be changed, made of the fields of its schema and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, information: ValidationInfo) -> Any:
        """Refuse ``true`` where numbers are meant: Pydantic takes it as 1."""
        kinds = set(_kinds(cls.model_fields[str(information.field_name)].annotation))
        if bool not in kinds and kinds & {int, float} and _holds_boolean(value):
            raise ValueError("expected a number, got a boolean")
        return value


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types in an annotation."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _holds_boolean(value: Any, depth: int = 2) -> bool:
    """True for a boolean, and a list or a list of lists that holds one: aliases of YAML make lists without an end."""
    if isinstance(value, list | tuple):
        return depth > 0 and any(_holds_boolean(one, depth - 1) for one in value)
    return isinstance(value, bool)


class Configuration(FrozenModel):
    """A value that people write as a YAML file."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
        """
        from semsim.written_yaml import read_yaml  # descriptions are read without yaml

        try:
            return cls.model_validate(read_yaml(path.read_text()))
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
        if isinstance(error.__cause__, ValidationError):  # it knows the places of its mistakes
            raise error.__cause__ from None
        raise ValueError(str(error)) from error


LOCATED = WrapValidator(_as_value_error)
"""Makes an error of this project, raised while a field is read, one of that field, so that its place is told."""


def expanded(path: Path) -> Path:
    """The path with its variables put in.

    Raises:
        InvalidDataset: a variable is not set.
    """
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        raise InvalidDataset(f"expected the variable in {path} to be set")
    return Path(expanded)
