"""Every setting with its value and its origin, for `semsim serve --print-config`. Secrets are not shown."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel

from semsim_service.settings import load_settings

_PREFIX = "SEMSIM_"
_HIDDEN = "**********"
_IN_ADDRESS = re.compile(r"(?<=//)[^?#]*(?=@)|(?<=[?#]).*")
"""The name and password in an address, up to its last @, and its query, which may hold a key."""


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """One setting."""

    name: str
    """The names of its group and its own, as in the YAML file: ``limits.pairs``."""
    value: str
    """The value as JSON."""
    origin: str
    """The option, the environment variable or the file that gives it, or ``default``."""


def print_settings(host: str, port: int, options: Mapping[str, str]) -> None:
    """Print the settings of this process, one a line.

    Args:
        host: the address of HTTP.
        port: the port of HTTP.
        options: the options that this command was given, by the environment variables that stand for them, or as
            ``host`` and ``port``.

    Raises:
        InvalidOption: a setting is not valid.
    """
    lines = [
        SettingOrigin("host", json.dumps(host), options.get("host", "default")),
        SettingOrigin("port", str(port), options.get("port", "default")),
    ]
    lines += setting_origins(options)
    width = max(len(line.name) for line in lines)
    values = max(min(len(line.value), 30) for line in lines)
    for line in lines:
        typer.echo(f"{line.name:<{width}}  {line.value:<{values}}  {line.origin}")


def setting_origins(options: Mapping[str, str]) -> list[SettingOrigin]:
    """Every setting of this process, in the order of its definition; ``options`` as in :func:`print_settings`.

    Raises:
        InvalidOption: a setting is not valid.
    """
    environment = {name.upper(): (name, value) for name, value in os.environ.items()}
    path = os.environ.get(f"{_PREFIX}CONFIG")
    content = yaml.safe_load(Path(path).read_text()) if path else {}
    origins = []
    for names, value in _leaves(load_settings()):
        variable = _PREFIX + "__".join(names).upper()
        origin = "default"
        if path and _holds(content, names):
            origin = path
        for depth in range(1, len(names) + 1):
            given = environment.get(_PREFIX + "__".join(names[:depth]).upper())
            if given is not None and (depth == len(names) or _holds(_parsed(given[1]), names[depth:])):
                origin = given[0]
        shown = _IN_ADDRESS.sub(_HIDDEN, value) if isinstance(value, str) else value
        value_text = json.dumps(shown, default=_shown)
        origins.append(SettingOrigin(".".join(names), value_text, options.get(variable, origin)))
    return origins


def _leaves(group: BaseModel, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _shown(value: object) -> str:
    return str(value)  # a path; and a secret, whose text are asterisks


def _holds(content: Any, names: tuple[str, ...]) -> bool:
    """True where nested names lead to a value."""
    for name in names:
        keys = {key.lower(): key for key in content} if isinstance(content, dict) else {}
        if name not in keys:
            return False
        content = content[keys[name]]
    return True


def _parsed(text: str) -> Any:
    """The content of a variable that gives a whole group as JSON."""
    with suppress(ValueError):
        return json.loads(text)
    return None
