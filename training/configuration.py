"""Configuration files: YAML that fits a schema."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from semsim.exceptions import InvalidConfiguration

_Schema = TypeVar("_Schema", bound=BaseModel)


def read_configuration(schema: type[_Schema], path: Path) -> _Schema:
    """Read a YAML file.

    Raises:
        InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
    """
    try:
        return schema.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise InvalidConfiguration(f"expected a configuration at {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{path} does not fit the schema: {error}") from error
