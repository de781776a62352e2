"""Defenses as they are written: ``clip:1.0+gaussian:1e-3`` is two steps, left to right."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from semsim.exceptions import InvalidConfiguration


@dataclass(frozen=True, slots=True)
class DefenseValue:
    """The number behind a defense's name."""

    expected: str
    allows: Callable[[float], bool]


VALUES = {
    "gaussian": DefenseValue("a standard deviation >= 0", lambda value: value >= 0),
    "laplace": DefenseValue("a scale >= 0", lambda value: value >= 0),
    "prune": DefenseValue("a share to zero, 0 <= share < 1", lambda value: 0 <= value < 1),
    "top-k": DefenseValue("a share to keep, 0 < share <= 1", lambda value: 0 < value <= 1),
    "sign": DefenseValue("no value", lambda value: value == 0),
    "clip": DefenseValue("a norm > 0", lambda value: value > 0),
}
"""The value that each single defense takes."""
DEFENSES = ("none", *VALUES, "dp")
"""All names that a defense is written with."""


@dataclass(frozen=True, slots=True)
class DefenseStep:
    """One single defense with its value."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Defense:
    """A sequence of defenses; ``none`` is the empty one.

    ``gaussian:STD``, ``laplace:SCALE``, ``prune:SHARE``, ``top-k:SHARE``, ``sign``, ``clip:NORM`` and
    ``dp:NORM:MULTIPLIER``, which is clipping with Gaussian noise of MULTIPLIER times the norm (Abadi et al., CCS 2016).

    Raises:
        InvalidConfiguration: an unknown defense, or a value outside its range.
    """

    text: str
    steps: tuple[DefenseStep, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = [] if self.text == "none" else self.text.split("+")
        object.__setattr__(self, "steps", tuple(step for part in parts for step in _parse(part)))

    def __str__(self) -> str:
        return self.text


NO_DEFENSE = Defense("none")


def _read(value: object) -> Defense:
    return value if isinstance(value, Defense) else Defense(TypeAdapter(str).validate_python(value))


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
    if name == "dp":
        if len(values) != 2 or not (values[0] > 0 and 0 <= values[1] < math.inf):
            raise InvalidConfiguration(f"expected dp:NORM:MULTIPLIER with a norm > 0 and a multiplier >= 0, got {part}")
        return [DefenseStep("clip", values[0]), DefenseStep("gaussian", values[0] * values[1])]
    known = VALUES.get(name)
    if known is None:
        raise InvalidConfiguration(f"expected a defense of {', '.join(DEFENSES)}, got {name}")
    value = values[0] if values else 0.0
    if len(values) != (name != "sign") or not (math.isfinite(value) and known.allows(value)):
        raise InvalidConfiguration(f"expected {known.expected} for the defense {name}, got {part}")
    return [DefenseStep(name, value)]
