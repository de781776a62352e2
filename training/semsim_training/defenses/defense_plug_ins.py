"""Defenses of other packages and of callers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semsim_training.plug_ins import PlugIn

if TYPE_CHECKING:
    import torch  # names of defenses are read without it

DefenseFunction = Callable[["Mapping[str, torch.Tensor]", float, "torch.Generator"], "Mapping[str, torch.Tensor]"]
"""A defense: from an update's tensors by name, the value behind the defense's name and the client's random numbers to
tensors of the same names and shapes."""


@dataclass(frozen=True, slots=True)
class DefenseValue:
    """The number behind a defense's name."""

    expected: str
    """The number in words, for errors."""
    allows: Callable[[float], bool]
    """True for the finite numbers that the defense takes."""
    written: bool = True
    """False where the defense is its name alone."""


ANY_NUMBER = DefenseValue("a finite number", lambda value: True)
NO_VALUE = DefenseValue("no value", lambda value: True, written=False)


@dataclass(frozen=True, slots=True)
class DefenseRule:
    """A defense of a package: a function, and the number that it takes."""

    function: DefenseFunction
    value: DefenseValue = ANY_NUMBER


def plugged_defense(plug_in: PlugIn) -> DefenseRule:
    """The rule of a plug-in, which registers one, or a function that takes any finite number.

    Raises:
        InvalidConfiguration: it cannot be loaded, or is neither.
    """
    registered = plug_in.load()
    if isinstance(registered, DefenseRule):
        return registered
    if not callable(registered):
        raise plug_in.refused("a function or a DefenseRule", type(registered).__name__)
    return DefenseRule(registered)
