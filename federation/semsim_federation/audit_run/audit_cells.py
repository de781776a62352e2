"""The ways to take part that an audit compares: each differs in one thing from the way in which clients take part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from semsim_federation.audit_run.audit_config import AuditAxes
from semsim_training.defenses.defense import Defense


class Axis(StrEnum):
    """The thing in which ways to take part differ."""

    BATCH = "batch"
    EPOCHS = "epochs"
    DEFENSE = "defense"
    ROUND = "round"


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to take part."""

    batch: int
    """The number of images behind an update."""
    epochs: int
    """The passes over these images."""
    defense: Defense
    round: int
    """The rounds of training before the update."""

    @property
    def key(self) -> str:
        """The name of the cell, which tells it apart in files and tables."""
        return f"b{self.batch} e{self.epochs} {self.defense} r{self.round}"


def base_of(axes: AuditAxes) -> Cell:
    """The way in which the clients take part: the first value of each axis."""
    return Cell(axes.batches[0], axes.epochs[0], axes.defenses[0], axes.rounds[0])


def along(axes: AuditAxes, axis: Axis) -> tuple[Cell, ...]:
    """The cells that differ in one thing, in the order of their values, the base among them."""
    base = base_of(axes)
    match axis:
        case Axis.BATCH:
            return tuple(replace(base, batch=value) for value in sorted(axes.batches))
        case Axis.EPOCHS:
            return tuple(replace(base, epochs=value) for value in sorted(axes.epochs))
        case Axis.DEFENSE:
            return tuple(replace(base, defense=value) for value in axes.defenses)
        case Axis.ROUND:
            return tuple(replace(base, round=value) for value in sorted(axes.rounds))


def declared(axes: AuditAxes) -> tuple[Cell, ...]:
    """The cells that the verdict rests on: the base in every round, since a client takes part in all of them."""
    return tuple(dict.fromkeys((base_of(axes), *along(axes, Axis.ROUND))))


def in_order(axes: AuditAxes) -> tuple[Cell, ...]:
    """All cells, the most important ones first.

    The verdict rests on the first ones. The defenses follow, and then batch sizes and local steps in turn, so that a
    run that ends early has some of both.
    """

    def others() -> Iterator[Cell]:
        for pair in zip_longest(along(axes, Axis.BATCH), along(axes, Axis.EPOCHS)):
            yield from (cell for cell in pair if cell is not None)

    return tuple(dict.fromkeys((*declared(axes), *along(axes, Axis.DEFENSE), *others())))
