"""Settings of a set against each other that differ in one thing, on the same clients: means, paired differences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import ReconstructionRow
from semsim_training.reconstructions.scored_rows import ScoredRow, by_setting, statuses
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import Floats, Interval, percentiles, wilson

DRAWS = 5000
_CAP_DB = 60.0


class ComparedBy(StrEnum):
    """The one thing in which the settings of a group differ; the values are the names of their fields."""

    ATTACK = "attack"
    DEFENSE = "defense"
    VICTIM = "victim"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a reconstruction."""

    name: str
    digits: int
    """The digits of its means in tables."""
    of: Callable[[ScoredRow], float | None]
    """The number; ``None`` where it is not to be had."""


MEASURES = (
    Measure("leakage", 2, lambda one: None if one.score is None else one.score.leakage),
    Measure("recognizable", 2, lambda one: None if one.score is None else one.score.recognizable),
    Measure("PSNR", 1, lambda one: None if one.score is None else min(one.score.psnr, _CAP_DB)),
    Measure("SSIM", 3, lambda one: None if one.score is None else one.score.ssim),
    Measure("LPIPS", 3, lambda one: one.lpips),
)
"""Higher leakage, rate of recognizable images, PSNR (dB) and SSIM, and lower LPIPS: closer to the original."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over clients with its 95% interval; ``None`` where there are too few clients for one."""

    value: float
    interval: Interval | None

    @property
    def sure(self) -> bool:
        """True where the interval leaves zero out."""
        return self.interval is not None and (self.interval.low > 0 or self.interval.high < 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """One setting of a group whose settings differ in one thing."""

    group: str
    """The things that the group has in common."""
    name: str
    """The thing in which this setting differs: an attack, a defense or a victim."""
    images: int
    """Images of the clients whose attacks did not diverge; the means are of them."""
    clients: int
    diverged: int
    """The clients whose attacks diverged. They take no part in anything else."""
    paired: int
    """The clients of whom this setting and the group's first one both have reconstructions."""
    nothing_found: int
    """The paired clients of whom an attack found nothing, in this setting or the group's first one. The leakage of what
    it gave out is no measure of what a client leaks."""
    uninformative: int
    """Images whose original shows nothing. They have no leakage and take no part in it."""
    statuses: str
    """The number of images of each status that occurs, in words."""
    means: Mapping[str, Estimate]
    """By the name of the measure; empty where every attack diverged."""
    differences: Mapping[str, Estimate]
    """The mean difference from the group's first setting, over the paired clients. The first has none."""


_Client = tuple[str, ...]
"""A client by the names of its images."""
_Choices = Mapping[str, Any]
"""A setting as a grid writes it, without what is left at its default."""


def compare_settings(made: ReconstructionSet, scored: Sequence[ScoredRow], by: ComparedBy) -> list[Compared]:
    """The settings of a set that have peers from which they differ in ``by`` alone, group by group in the set's order.

    The first of a group is what the others are compared with: the one without a defense where there is one. A client's
    images come and go together: they were made in one search. ``scored`` are the set's rows.

    Raises:
        InvalidDataset: a row could not be scored, or as :func:`check_comparable` says.
    """
    failure = next((one.failure for one in scored if one.failure is not None), None)
    if failure is not None:
        raise InvalidDataset(f"expected the originals of all reconstructions to compare, got: {failure.message}")
    settings = by_setting(scored)
    compared = []
    for choices, names in _groups(made, by):
        group = sorted((settings[name] for name in names), key=lambda rows: rows[0].row.defense != "none")
        compared += _compared(group, _common(group[0][0].row, choices, by), by)
    return compared


def check_comparable(made: ReconstructionSet, by: ComparedBy) -> None:
    """Refuse a set that has nothing to compare, before anything is scored.

    Raises:
        InvalidDataset: no two settings differ in this alone, or the set's description does not tell its settings.
    """
    if not _groups(made, by):
        raise InvalidDataset(f"expected settings of {made.name} that differ in the {by} alone, got none")


def _groups(made: ReconstructionSet, by: ComparedBy) -> list[tuple[_Choices, list[str]]]:
    """The names of settings that differ in one thing alone, where there are several, and what the first of them is."""
    settings = list(dict.fromkeys(row.setting for row in made.rows))
    groups: dict[str, tuple[_Choices, list[str]]] = {}
    for setting, choices in zip(settings, _choices(made, len(settings)), strict=True):
        alike = sorted((name, str(value)) for name, value in choices.items() if name not in (by, "count"))
        groups.setdefault(str(alike), (choices, []))[1].append(setting)
    return [group for group in groups.values() if len(group[1]) > 1]


def _choices(made: ReconstructionSet, settings: int) -> list[_Choices]:
    """The settings as the set's grid writes them, in order."""
    choices = made.description.grid.get("settings", [])
    if len(choices) != settings:
        raise InvalidDataset(
            f"expected the {settings} settings of {made.name} in its {made.description.FILE}, got {len(choices)}"
        )
    return list(choices)


def _compared(group: list[list[ScoredRow]], common: str, by: ComparedBy) -> list[Compared]:
    everybody = [_clients(rows) for rows in group]
    names = [measure for measure in MEASURES if all(_has(measure, clients) for clients in everybody)]
    first = everybody[0]
    compared = []
    for rows, clients in zip(group, everybody, strict=True):
        both = [client for client in clients if client in first]
        means, differences = {}, {}
        for measure in names:
            values = [_of_client(measure, held) for held in clients.values()]
            if told := [value for value in values if value is not None]:
                means[measure.name] = _mean(measure, told)
            pairs = [(_of_client(measure, clients[client]), _of_client(measure, first[client])) for client in both]
            gaps = np.array([one - other for one, other in pairs if one is not None and other is not None])
            if len(gaps) and clients is not first:
                differences[measure.name] = Estimate(float(gaps.mean()), _bootstrap(gaps))
        held = len(rows) // rows[0].row.batch
        compared.append(
            Compared(
                group=common,
                name=getattr(rows[0].row, by),
                images=sum(map(len, clients.values())),
                clients=len(clients),
                diverged=held - len(clients),
                paired=len(both),
                nothing_found=sum(_nothing_found(clients[client]) or _nothing_found(first[client]) for client in both),
                uninformative=sum(one.score is not None and one.score.uninformative is not None for one in rows),
                statuses=statuses(rows),
                means=means,
                differences=differences,
            )
        )
    return compared


def _clients(rows: Sequence[ScoredRow]) -> dict[_Client, list[ScoredRow]]:
    """The rows of each client whose attack did not diverge; a client's rows follow each other."""
    batch = rows[0].row.batch
    together = [list(rows[start : start + batch]) for start in range(0, len(rows), batch)]
    return {tuple(one.row.image for one in held): held for held in together if held[0].row.done}


def _nothing_found(held: Sequence[ScoredRow]) -> bool:
    return held[0].row.status == "nothing_found"


def _has(measure: Measure, clients: Mapping[_Client, Sequence[ScoredRow]]) -> bool:
    return not clients or any(_of_client(measure, held) is not None for held in clients.values())


def _of_client(measure: Measure, held: Sequence[ScoredRow]) -> float | None:
    """The mean over the images of a client that have the number; ``None`` where none has it."""
    values = [value for one in held if (value := measure.of(one)) is not None]
    return float(np.mean(values)) if values else None


def _mean(measure: Measure, values: Sequence[float]) -> Estimate:
    mean = float(np.mean(values))
    if measure.name == "recognizable":
        # A bootstrap of zeros alone would claim to be sure. A client's images count as one.
        return Estimate(mean, wilson(mean * len(values), len(values)))
    return Estimate(mean, _bootstrap(np.array(values)))


def _bootstrap(values: Floats) -> Interval | None:
    if len(values) < 2:
        return None
    return percentiles(resampled(len(values), DRAWS, seed=0) @ values / len(values))


def _common(row: ReconstructionRow, choices: _Choices, by: ComparedBy) -> str:
    """The things that the settings of a group have in common."""
    parts = [row.dataset, *(getattr(row, one) for one in ComparedBy if one not in (by, ComparedBy.DEFENSE))]
    parts += [row.defense] * (row.defense != "none" and by is not ComparedBy.DEFENSE)
    parts += [f"batch {row.batch}", f"batch normalisation {row.batchnorm}"]
    parts += [f"mode {row.mode}"] * (row.mode != "none")
    parts += ["statistics sent"] * bool(choices.get("send_statistics"))
    parts += ["labels inferred"] * (choices.get("reveal_labels") is False)
    if row.local_steps:
        training = dict(choices.get("local_training") or {})
        values = " ".join(f"{name} {value}" for name, value in training.items())
        parts.append(f"{row.local_steps} local steps of {values}")
    return ", ".join(parts)
