"""Defenses as they are written: ``clip:1.0+gaussian:1e-3`` is two steps, left to right."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from semsim.exceptions import InvalidConfiguration
from semsim.schema_mistakes import did_you_mean
from semsim_training.defenses.defense_plug_ins import NO_VALUE, DefenseFunction, DefenseValue, plugged_defense
from semsim_training.plug_ins import PlugIn, PlugInKind, known_names, plug_in, plug_ins

VALUES = {
    "gaussian": DefenseValue("a standard deviation >= 0", lambda value: value >= 0),
    "laplace": DefenseValue("a scale >= 0", lambda value: value >= 0),
    "prune": DefenseValue("a share to zero, 0 <= share < 1", lambda value: 0 <= value < 1),
    "top-k": DefenseValue("a share to keep, 0 < share <= 1", lambda value: 0 < value <= 1),
    "sign": NO_VALUE,
    "clip": DefenseValue("a norm > 0", lambda value: value > 0),
}
"""The value that each single defense takes."""
DEFENSES = ("none", *VALUES, "dp")
"""All names that a built-in defense is written with."""


@dataclass(frozen=True, slots=True)
class DefenseStep:
    """One single defense with its value."""

    kind: str
    value: float
    function: DefenseFunction | None = None
    """The caller's function; ``None`` for a defense that is written as text."""


@dataclass(frozen=True, slots=True, init=False)
class Defense:
    """A sequence of defenses; ``none`` is the empty one.

    ``gaussian:STD``, ``laplace:SCALE``, ``prune:SHARE``, ``top-k:SHARE``, ``sign``, ``clip:NORM`` and
    ``dp:NORM:MULTIPLIER``, which is clipping with Gaussian noise of MULTIPLIER times the norm (Abadi et al., CCS 2016).
    A plug-in is written as ``NAME:VALUE``, or ``NAME`` where it takes no value.
    """

    text: str
    steps: tuple[DefenseStep, ...]

    def __init__(self, written: str | DefenseFunction, value: float = 0.0) -> None:
        """Read a defense from its text, or make one of a function, which is called with ``value``.

        Raises:
            InvalidConfiguration: an unknown defense, a value outside its range, or a plug-in that cannot be loaded.
        """
        if isinstance(written, str):
            parts = [] if written == "none" else written.split("+")
            text, steps = written, tuple(step for part in parts for step in _parse(part))
        else:
            name = getattr(written, "__name__", type(written).__name__)
            text, steps = f"{name}:{value:g}", (DefenseStep(name, value, written),)
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "steps", steps)

    def __str__(self) -> str:
        return self.text


NO_DEFENSE = Defense("none")


def defense_plug_in(name: str) -> PlugIn | None:
    """The plug-in of this name; ``None`` for a built-in defense and for an unknown name.

    Raises:
        InvalidConfiguration: the name stands for several defenses.
    """
    return plug_in(PlugInKind.DEFENSE, name, DEFENSES)


def _read(value: object) -> Defense:
    defense = value if isinstance(value, Defense) else Defense(TypeAdapter(str).validate_python(value))
    if any(step.function is not None for step in defense.steps):
        raise InvalidConfiguration(
            f"expected a defense that can be written down, got the function {defense}: register it as an entry point "
            f"of the group {PlugInKind.DEFENSE.group}"
        )
    return defense


WrittenDefense = Annotated[
    Defense,
    PlainValidator(_read),
    PlainSerializer(str, return_type=str),
]
"""A defense in a configuration, where it is written as its text."""


def _parse(part: str) -> list[DefenseStep]:
    name, *texts = part.split(":")
    try:
        values = [float(text) for text in texts]
    except ValueError:
        raise InvalidConfiguration(f"expected numbers in the defense, got {part}") from None
    plugged = defense_plug_in(name)
    if name == "dp":
        if len(values) != 2 or not (values[0] > 0 and 0 <= values[1] < math.inf):
            raise InvalidConfiguration(f"expected dp:NORM:MULTIPLIER with a norm > 0 and a multiplier >= 0, got {part}")
        return [DefenseStep("clip", values[0]), DefenseStep("gaussian", values[0] * values[1])]
    known = VALUES.get(name) if plugged is None else plugged_defense(plugged).value
    if known is None:
        near = did_you_mean(name, [*DEFENSES, *plug_ins(PlugInKind.DEFENSE)])
        raise InvalidConfiguration(
            f"expected a defense of {known_names(PlugInKind.DEFENSE, DEFENSES)}, got {name}{near}"
        )
    value = values[0] if values else 0.0
    if len(values) != known.written or not (math.isfinite(value) and known.allows(value)):
        raise InvalidConfiguration(f"expected {known.expected} for the defense {name}, got {part}")
    return [DefenseStep(name, value)]
