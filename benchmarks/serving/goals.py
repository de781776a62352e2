"""What the service is meant to reach under load, held against a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.harness.questions import Form
from benchmarks.serving.cells import Cell, Loop
from benchmarks.serving.contenders import Contender
from benchmarks.serving.measure import Results

# Fewer clients leave the network idle while their answers travel.
MANY_CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that must hold under every load of many clients."""

    text: str
    bound: float
    values: dict[Cell, float]
    least: bool = True
    """True where ``bound`` is the lowest value allowed, rather than the highest."""

    @property
    def held(self) -> int:
        """The number of loads under which it holds."""
        return sum(value >= self.bound if self.least else value <= self.bound for value in self.values.values())

    @property
    def met(self) -> bool:
        """True where it holds under all of them."""
        return self.held == len(self.values)

    @property
    def worst(self) -> Cell:
        """The load that is furthest from it."""
        choose: Callable[..., Cell] = min if self.least else max
        return choose(self.values, key=self.values.__getitem__)


def goals(results: Results) -> list[Goal]:
    """All goals, for the forms that ran."""
    cells = [cell for cell in results.plan.cells if cell.clients >= MANY_CLIENTS]
    reached = []
    for mine in (contender for contender in results.contenders if contender.ours):
        bounds: list[tuple[str, float, Contender | Loop]] = [
            (f"ahead of {peer.title}", 1.0, peer) for peer in _peers(results.contenders, mine)
        ]
        if mine.form is Form.JSON:
            bounds.insert(0, ("at least 0.8 of the library's loop with PNG decoding", 0.8, Loop.DECODING))
        else:
            bounds.insert(0, ("at least 0.9 of `session.run` alone", 0.9, Loop.NETWORK))
            bounds.insert(1, ("at least 0.9 of the library's loop", 0.9, Loop.LIBRARY))
        for text, bound, other in bounds:
            ratios = {cell: results.ratio(cell, mine, other) for cell in cells}
            reached.append(Goal(f"{mine.title}: {text}", bound, ratios))
        tails = {cell: results.tail(cell, mine) for cell in cells}
        reached.append(Goal(f"{mine.title}: p99 at most 4 x p50", 4.0, tails, least=False))
    return reached


def _peers(contenders: Sequence[Contender], mine: Contender) -> list[Contender]:
    """Those that take the same images: encoded, or raw."""
    encoded = mine.form is Form.JSON
    return [other for other in contenders if not other.ours and (other.form is Form.JSON) == encoded]
