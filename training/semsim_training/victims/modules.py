"""Victims from code of the user: ``my_file.py:make_net``, ``torchvision.models:mobilenet_v3_small``.

Whatever names such a victim runs the code: a file or a module is executed when it is imported. What it prints goes to
the error stream, so that a command's JSON stays alone, and where it ends the program it is refused.
"""

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from semsim.exceptions import InvalidVictim

_FORM = "FILE.py:NAME or MODULE:NAME"


def module_from(text: str, *, classes: int | None = None, **options: Any) -> nn.Module:
    """The network that ``NAME`` of a Python file or an importable module makes, or is.

    ``NAME`` is a class or a function, called with ``options`` and without any other argument, except that
    ``num_classes=classes`` is passed where its signature takes that; or it is a network. The code is executed.

    Raises:
        InvalidVictim: there is no such file, module or name; it cannot be imported or called so; or the result is
            not a network.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise InvalidVictim(f"expected {_FORM}, got {text!r}")
    with contextlib.redirect_stdout(sys.stderr):
        return _made(text, place, name, classes, options)


def _made(text: str, place: str, name: str, classes: int | None, options: dict[str, Any]) -> nn.Module:
    source = _imported(place)
    factory: Any = source
    for part in name.split("."):
        if not hasattr(factory, part):
            raise InvalidVictim(f"expected {name} in {place}, got {_callables(source)}")
        factory = getattr(factory, part)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise InvalidVictim(f"expected a class, a function or a network in {text}, got {type(factory).__name__}")
    made = _called(factory, text, classes, options)
    if not isinstance(made, nn.Module):
        raise InvalidVictim(f"expected a torch.nn.Module from {text}, got {type(made).__name__}")
    return made


def _called(factory: Callable[..., object], text: str, classes: int | None, options: dict[str, Any]) -> object:
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # a callable of C has no signature
        parameters = []
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    names = {parameter.name for parameter in parameters}
    if classes is not None and (takes_any or "num_classes" in names):
        options = {"num_classes": classes} | options
    required = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and parameter.name not in options
    ]
    if required:
        raise InvalidVictim(f"expected {text} to need no argument but num_classes, got {', '.join(required)}")
    if not takes_any and (surplus := sorted(set(options) - names)):
        raise InvalidVictim(
            f"expected {text} to take {', '.join(surplus)}, got {', '.join(sorted(names)) or 'nothing'}"
        )
    try:
        return factory(**options)
    except TypeError as error:
        # A function that passes all its keywords on does not say which of them it takes.
        if takes_any and "num_classes" not in names and "num_classes" in str(error):
            return _called(factory, text, None, {key: options[key] for key in options if key != "num_classes"})
        raise InvalidVictim(f"expected a network from {text}, got {_line(error)}") from error
    except (Exception, SystemExit) as error:  # the user's code raises what it likes
        raise InvalidVictim(f"expected a network from {text}, got {_line(error)}") from error


def _imported(place: str) -> ModuleType:
    path = Path(place)
    try:
        return _executed(path) if path.suffix == ".py" else importlib.import_module(place)
    except (Exception, SystemExit) as error:  # the user's code raises what it likes
        missing = path.suffix == ".py" and not path.is_file()
        told = "no such file" if missing else _line(error)
        raise InvalidVictim(f"expected a Python file or module at {place} ({_FORM}): {told}") from error


def _executed(path: Path) -> ModuleType:
    """The module that a file makes; modules beside it can be imported while it is executed."""
    name = f"semsim_victim_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickled classes look themselves up
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _line(error: BaseException) -> str:
    """The kind of an error and the beginning of its message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _callables(source: ModuleType) -> str:
    """The names that a module offers, for an error."""
    names = [name for name, value in vars(source).items() if callable(value) and not name.startswith("_")]
    return f"{', '.join(names[:8]) or 'no class or function'}{', ...' if len(names) > 8 else ''}"
