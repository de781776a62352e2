"""Attacks, defenses and victims of other packages, which register them as entry points.

A plug-in is listed by its name without a look at its code, and loaded when something uses it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from semsim.exceptions import InvalidConfiguration, SemSimError


class PlugInKind(StrEnum):
    """The kinds of plug-ins."""

    ATTACK = "attack"
    DEFENSE = "defense"
    VICTIM = "victim"

    @property
    def group(self) -> str:
        """The group of entry points: ``semsim.attacks``, ``semsim.defenses`` or ``semsim.victims``."""
        return f"semsim.{self}s"


@dataclass(frozen=True, slots=True)
class PlugIn:
    """An entry point of a package."""

    kind: PlugInKind
    entry: EntryPoint

    @property
    def name(self) -> str:
        """The name that configurations and commands use."""
        return self.entry.name

    @property
    def origin(self) -> str:
        """The package with its version, and the place of the code in it: ``mine 0.1 (mine.attacks:solve)``."""
        package = self.entry.dist
        return (
            f"{'an unknown package' if package is None else f'{package.name} {package.version}'} ({self.entry.value})"
        )

    def load(self) -> object:
        """The registered object.

        Raises:
            InvalidConfiguration: it cannot be imported.
        """
        return self._told("to load", self.entry.load)

    def call(self, function: Callable[..., Any], *arguments: object, **named: object) -> Any:
        """The result of a function of the plug-in.

        Raises:
            SemSimError: the error of the project that the function raises.
            InvalidConfiguration: it raises another error, which is this one's cause.
        """
        return self._told("to work", lambda: function(*arguments, **named))

    def refused(self, expected: str, got: str) -> InvalidConfiguration:
        """The error of a plug-in that is or does something else than it should."""
        return InvalidConfiguration(f"expected {expected} from the {self.kind} {self.name} of {self.origin}, got {got}")

    def _told(self, duty: str, run: Callable[[], Any]) -> Any:
        try:
            return run()
        except SemSimError:
            raise
        # The code of others raises what it likes; one that ends the process would look like a finished command.
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())[:300]
            raise InvalidConfiguration(
                f"expected the {self.kind} {self.name} of {self.origin} {duty}, got {type(error).__name__}: {reason}"
            ) from error


@cache
def plug_ins(kind: PlugInKind) -> Mapping[str, tuple[PlugIn, ...]]:
    """The plug-ins of a kind by name, none of them loaded. Several packages may use one name, until it is used."""
    by_name = defaultdict(list)
    for entry in sorted(entry_points(group=kind.group), key=lambda entry: (entry.name, entry.value)):
        by_name[entry.name].append(PlugIn(kind, entry))
    return {name: tuple(alike) for name, alike in by_name.items()}


def plug_in(kind: PlugInKind, name: str, built_in: Collection[str]) -> PlugIn | None:
    """The plug-in of a name; ``None`` where the name is built in, or unknown.

    Raises:
        InvalidConfiguration: the name stands for several things.
    """
    alike = plug_ins(kind).get(name, ())
    holders = ["SemSim itself"] * (name in built_in) + [one.origin for one in alike]
    if len(holders) > 1:
        raise InvalidConfiguration(f"expected one {kind} with the name {name}, got those of {' and '.join(holders)}")
    return alike[0] if alike else None


def known_names(kind: PlugInKind, built_in: Collection[str]) -> str:
    """The names of a kind for an error, plug-ins with their packages."""
    others = [f"{name} of {alike[0].origin}" for name, alike in plug_ins(kind).items() if name not in built_in]
    return ", ".join([*built_in, *others])
