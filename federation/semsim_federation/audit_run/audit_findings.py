"""The findings of a run: each cell, the cost of each defense, and the verdict. A failure is never a low value."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from semsim_federation.audit_run.audit_cells import Axis, Cell, along, declared, in_order
from semsim_federation.audit_run.audit_config import AuditAxes, AuditConfiguration
from semsim_federation.audit_run.audit_journal import AuditJournal, BrokenAudit, ClientAudit, TrainedModel
from semsim_federation.leakage_report import LeakageVerdict
from semsim_training.defenses.defense import Defense
from semsim_training.statistics.intervals import CONFIDENCE, Interval, wilson


@dataclass(frozen=True, slots=True)
class BoundedMean:
    """The mean of clients' values in [0, 1], with Wilson's interval.

    Wilson's interval of as many draws of 0 and 1 is at least as wide as that of values between them, so that few
    clients that agree do not look certain.
    """

    value: float
    interval: Interval


@dataclass(frozen=True)
class CellFindings:
    """The audits of the clients of one cell."""

    cell: Cell
    audits: tuple[ClientAudit, ...]
    broken: tuple[BrokenAudit, ...]
    planned: int
    """The number of clients that were to be audited."""

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """The number of clients of each verdict, of ``failed`` audits, and of those that were ``not run``."""
        told = Counter(str(audit.verdict) for audit in self.audits)
        missing = self.planned - len(self.audits) - len(self.broken)
        return {verdict: told[verdict] for verdict in LeakageVerdict} | {"failed": len(self.broken), "not_run": missing}

    @property
    def verdict(self) -> LeakageVerdict:
        """``leaks`` where a client leaks; ``not_shown`` only where each one is not shown to."""
        if self.counts[LeakageVerdict.LEAKS]:
            return LeakageVerdict.LEAKS
        shown = self.counts[LeakageVerdict.NOT_SHOWN] == self.planned
        return LeakageVerdict.NOT_SHOWN if shown else LeakageVerdict.COULD_NOT_TELL

    @property
    def told(self) -> tuple[ClientAudit, ...]:
        """The audits that could tell."""
        return tuple(audit for audit in self.audits if audit.told)

    @property
    def share(self) -> BoundedMean | None:
        """The share of images that leaked, of the clients of which it can be told; None where of none."""
        return _mean([audit.leaked / len(audit.images) for audit in self.told])

    @property
    def leakage(self) -> BoundedMean | None:
        """The mean leakage of images, of the clients of which it can be told; None where of none."""
        return _mean([audit.leakage for audit in self.told if audit.leakage is not None])

    @property
    def control(self) -> float | None:
        """The mean leakage of public images beside the same clients' reconstructions."""
        means = [audit.control_mean for audit in self.told if audit.control_mean is not None]
        return float(np.mean(means)) if means else None

    @property
    def possible(self) -> tuple[float, float]:
        """The least and the largest share of images that can have leaked.

        Clients and images of which it could not be told count as none, and as all, of their images.
        """
        least = sum(audit.leaked / len(audit.images) for audit in self.told)
        untold = sum(
            sum(image.recognizable is None or image.unsure for image in audit.images) / len(audit.images)
            for audit in self.told
        )
        return least / self.planned, (least + untold + self.planned - len(self.told)) / self.planned

    @property
    def explained(self) -> float | None:
        """The mean over clients of the largest share of the update that an attack's images explained."""
        best = [max((one.explained or 0.0 for one in audit.attempts), default=0.0) for audit in self.audits]
        return float(np.mean(best)) if best else None


@dataclass(frozen=True, slots=True)
class SeedMean:
    """The mean over trainings with several seeds, and Student's interval; None with a single one."""

    value: float
    interval: Interval | None
    seeds: int


@dataclass(frozen=True, slots=True)
class DefenseCost:
    """The accuracy that a short training reaches with one defense."""

    defense: Defense
    accuracy: SeedMean | None
    """None where no training ended."""
    change: SeedMean | None
    """The difference from trainings with the first defense, seed by seed; None for the first one."""
    diverged: tuple[str, ...]
    """The reasons of trainings that broke off."""
    missing: int
    """The number of trainings that were not run."""


@dataclass(frozen=True)
class AuditFindings:
    """Everything that a run has to tell, pictures apart."""

    configuration: AuditConfiguration
    cells: Mapping[Cell, CellFindings]
    costs: tuple[DefenseCost, ...]
    accuracy_by_round: Mapping[int, float]
    """The accuracy of the networks whose rounds were audited, as far as it was measured."""

    @classmethod
    def of(cls, configuration: AuditConfiguration, journal: AuditJournal) -> "AuditFindings":
        """The findings of what a journal holds."""
        axes, clients = configuration.axes, range(configuration.clients)
        cells = {
            cell: CellFindings(
                cell,
                tuple(journal.audits[cell.key, one] for one in clients if (cell.key, one) in journal.audits),
                tuple(journal.broken[cell.key, one] for one in clients if (cell.key, one) in journal.broken),
                configuration.clients,
            )
            for cell in in_order(axes)
        }
        first = journal.trained.get((str(axes.defenses[0]), 0))
        accuracy = () if first is None else first.accuracy
        by_round = {number: accuracy[number] for number in sorted(axes.rounds) if number < len(accuracy)}
        return cls(configuration, cells, _costs(configuration, tuple(journal.trained.values())), by_round)

    @property
    def axes(self) -> AuditAxes:
        """The ways to take part that were compared."""
        return self.configuration.axes

    @property
    def declared(self) -> tuple[CellFindings, ...]:
        """The cells that the verdict rests on: the way in which the clients take part, in every round."""
        return tuple(self.cells[cell] for cell in declared(self.axes))

    @property
    def others(self) -> tuple[CellFindings, ...]:
        """The other cells."""
        return tuple(one for one in self.cells.values() if one not in self.declared)

    def along(self, axis: Axis) -> tuple[CellFindings, ...]:
        """The cells that differ in one thing, in the order of its values."""
        return tuple(self.cells[cell] for cell in along(self.axes, axis))

    @property
    def verdict(self) -> LeakageVerdict:
        """``leaks`` where a client leaks as the clients take part; ``not_shown`` only where all are not shown to."""
        verdicts = [one.verdict for one in self.declared]
        if LeakageVerdict.LEAKS in verdicts:
            return LeakageVerdict.LEAKS
        untold = LeakageVerdict.COULD_NOT_TELL in verdicts
        return LeakageVerdict.COULD_NOT_TELL if untold else LeakageVerdict.NOT_SHOWN

    @property
    def complete(self) -> bool:
        """True where nothing is left to run."""
        missing = sum(one.counts["not_run"] for one in self.cells.values())
        return not missing and not any(cost.missing for cost in self.costs)


def _mean(values: Sequence[float]) -> BoundedMean | None:
    interval = wilson(sum(values), len(values))
    return None if interval is None else BoundedMean(float(np.mean(values)), interval)


def _costs(configuration: AuditConfiguration, trained: tuple[TrainedModel, ...]) -> tuple[DefenseCost, ...]:
    if configuration.federation is None:
        return ()
    defenses, costs = configuration.axes.defenses, []
    by_seed = {one: {model.seed: model for model in trained if model.defense == str(one)} for one in defenses}
    last = {
        one: {seed: model.accuracy[-1] for seed, model in models.items() if model.accuracy}
        for one, models in by_seed.items()
    }
    for defense in defenses:
        paired = [last[defense][seed] - last[defenses[0]][seed] for seed in last[defense] if seed in last[defenses[0]]]
        costs.append(
            DefenseCost(
                defense,
                _over_seeds(list(last[defense].values()), least=0.0),
                None if defense == defenses[0] else _over_seeds(paired, least=-1.0),
                tuple(model.reason for model in by_seed[defense].values() if not model.accuracy),
                configuration.federation.seeds - len(by_seed[defense]),
            )
        )
    return tuple(costs)


def _over_seeds(values: Sequence[float], least: float) -> SeedMean | None:
    """The mean of values from ``least`` to 1, with Student's interval."""
    from scipy.stats import t

    if not values:
        return None
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return SeedMean(mean, None, count)
    reach = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return SeedMean(mean, Interval(max(mean - reach, least), min(mean + reach, 1.0)), count)
