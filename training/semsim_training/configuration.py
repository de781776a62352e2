"""Configurations (YAML) and descriptions (JSON) that fit a schema."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from semsim.exceptions import InvalidConfiguration, InvalidDataset, SemSimError

_Schema = TypeVar("_Schema", bound=BaseModel)


def read_configuration(schema: type[_Schema], path: Path) -> _Schema:
    """Read a YAML file.

    Raises:
        InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
    """
    import yaml  # descriptions are read without it

    try:
        return schema.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise InvalidConfiguration(f"expected a configuration at {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{path} does not fit the schema: {error}") from error


def read_description(schema: type[_Schema], path: Path, refusal: type[SemSimError], what: str) -> _Schema:
    """Read a JSON file that says what ``what`` is.

    Raises:
        SemSimError: the ``refusal``: no such file, or it does not fit the schema.
    """
    try:
        return schema.model_validate_json(path.read_bytes())
    except OSError as error:
        raise refusal(f"expected {what} at {path}: {error.strerror}") from error
    except ValidationError as error:
        raise refusal(f"{path} does not fit the schema: {error}") from error


def expanded(path: Path) -> Path:
    """The path with its variables put in.

    Raises:
        InvalidDataset: a variable that is not set.
    """
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        raise InvalidDataset(f"expected the variable in {path} to be set")
    return Path(expanded)
