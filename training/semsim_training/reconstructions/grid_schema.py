"""Every field of a grid as a table, from the models that read it."""

import ast
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from semsim_training.attacks.choice import AttackChoice
from semsim_training.client_images.source import ImageChoice
from semsim_training.reconstructions.federated_averaging import FederatedAveraging
from semsim_training.reconstructions.grid import Grid, Setting, Splits, VictimChoice
from semsim_training.victims.description import Network

PARTS: dict[str, type[BaseModel]] = {
    "the grid": Grid,
    "`splits`": Splits,
    "each of `images`": ImageChoice,
    "each of `victims`": VictimChoice,
    "`network` of a victim": Network,
    "each of `settings`": Setting,
    "`attack` of a setting": AttackChoice,
    "`local_training` of a setting": FederatedAveraging,
}
"""The models that make a grid, by their places in it."""


def schema_table(parts: Mapping[str, type[BaseModel]] = PARTS) -> str:
    """A Markdown table for each part of a configuration: its fields, their values, their defaults and what they mean.

    ``parts`` are the models that make it, by their places in it.
    """
    return "\n\n".join(_part(place, model) for place, model in parts.items())


def _part(place: str, model: type[BaseModel]) -> str:
    documented = _descriptions(model)
    lines = [f"**{place[0].upper()}{place[1:]}**", "", "| field | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{_written(field.get_default(call_default_factory=True))}`"
        lines.append(f"| `{name}` | {_value(field)} | {default} | {documented.get(name, '')} |")
    return "\n".join(lines)


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The strings below the fields of a model and of those that it inherits from, in one line each."""
    texts: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for pair in pairwise(statements):
            match pair:
                case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                    texts[name] = _plain(text)
    return texts


def _plain(text: str) -> str:
    """A docstring as Markdown in one line."""
    joined = " ".join(text.split())
    joined = re.sub(r":\w+:`[.~]?([^`]+)`", r"`\1`", joined)
    return joined.replace("``", "`").replace("`None`", "`null`").replace("|", "\\|")


def _written(default: Any) -> str:
    """A default as YAML has it."""
    match default:
        case None:
            return "null"
        case bool():
            return str(default).lower()
        case BaseModel():
            return ", ".join(f"{name}: {value}" for name, value in default)
        case tuple():
            return f"[{', '.join(map(str, default))}]"
    return str(default)


def _value(field: FieldInfo) -> str:
    text = _kind(field.annotation)
    limits = ", ".join(filter(None, (_limit(one) for one in field.metadata)))
    return f"{text} {limits}".strip()


def _limit(constraint: Any) -> str:
    names = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return ", ".join(f"{sign} {getattr(constraint, name)}" for name, sign in names.items() if hasattr(constraint, name))


def _kind(annotation: Any) -> str:
    """A type in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin is not None and len(arguments) == 2:
        return f"{_kind(arguments[1])} by name"
    names = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    if annotation in names:
        return names[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "fields below"
    return "path" if getattr(annotation, "__name__", "") == "Path" else "text"
