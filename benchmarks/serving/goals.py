"""What the service is meant to reach under load, held against a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving.cells import Cell, Format, Loop
from benchmarks.serving.contenders import Contender
from benchmarks.serving.measure import Results

# Fewer clients leave the network idle while their answers travel.
MANY_CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that must hold under every load of many clients."""

    text: str
    least: bool
    """Whether ``bound`` is the lowest value allowed, rather than the highest."""
    bound: float
    values: dict[Cell, float]

    @property
    def held(self) -> int:
        """Under how many loads it holds."""
        return sum(value >= self.bound if self.least else value <= self.bound for value in self.values.values())

    @property
    def met(self) -> bool:
        """Whether it holds under all of them."""
        return self.held == len(self.values)

    @property
    def worst(self) -> Cell:
        """The load that is furthest from it."""
        choose: Callable[..., Cell] = min if self.least else max
        return choose(self.values, key=self.values.__getitem__)


def goals(results: Results) -> list[Goal]:
    """All of them, for the forms that ran."""
    found = []
    for mine in (contender for contender in results.contenders if contender.ours):
        if mine.form is Format.JSON:
            bounds = [(Loop.DECODING, 0.8, "the library's loop with PNG decoding")]
        else:
            bounds = [(Loop.NETWORK, 0.9, "`session.run` alone"), (Loop.LIBRARY, 0.9, "the library's loop")]
        found += [
            _throughput(results, mine, bound, f"{mine.title}: at least {bound} of {name}", loop)
            for loop, bound, name in bounds
        ]
        found += [
            _throughput(results, mine, 1.0, f"{mine.title}: ahead of {peer.title}", peer)
            for peer in _peers(results.contenders, mine)
        ]
        tails = {cell: results.tail(cell, mine) for cell in _loaded(results)}
        found.append(Goal(f"{mine.title}: p99 at most 4 x p50", False, 4.0, tails))
    return found


def _throughput(results: Results, mine: Contender, bound: float, text: str, other: Contender | Loop) -> Goal:
    return Goal(text, True, bound, {cell: results.ratio(cell, mine, other) for cell in _loaded(results)})


def _peers(contenders: Sequence[Contender], mine: Contender) -> list[Contender]:
    """Those that take the same images: encoded, or raw."""
    encoded = mine.form is Format.JSON
    return [other for other in contenders if not other.ours and (other.form is Format.JSON) == encoded]


def _loaded(results: Results) -> list[Cell]:
    return [cell for cell in results.plan.cells if cell.clients >= MANY_CLIENTS]
