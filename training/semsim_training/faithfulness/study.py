"""A study: reconstructions, how many recognised each, and what metrics say of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations, InvalidDataset
from semsim_training.annotation.judgements import AnnotatorKind

SMALLEST_SETTING = 5
"""Reconstructions; of fewer, a mean says nothing, and draws of originals often hold none."""

JUDGES = "judges"
"""The judges among the metrics: the share who recognised an image."""

Floats = NDArray[np.float64]


class Direction(StrEnum):
    """What a higher value of a metric means."""

    UP = "up"
    """More leakage."""
    DOWN = "down"
    """Less leakage."""

    @property
    def sign(self) -> float:
        """What turns values so that higher means more leakage."""
        return 1.0 if self is Direction.UP else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric's values of every item of a study."""

    name: str
    direction: Direction
    values: Floats
    """``(N,)``, in the metric's own unit; infinite ones are allowed, NaN is not."""

    @property
    def leakage(self) -> Floats:
        """``(N,)``, turned so that higher means more leakage."""
        return self.direction.sign * self.values

    @property
    def infinite(self) -> int:
        """How many values are infinite, such as the PSNR of an exact copy."""
        return int(np.isinf(self.values).sum())

    @property
    def finite(self) -> Floats:
        """The values for means and Pearson: infinite ones count as the most extreme finite one of their sign."""
        finite = self.values[np.isfinite(self.values)]
        if not finite.size:
            raise InvalidDataset(f"expected finite values of {self.name}, got none")
        return np.clip(self.values, finite.min(), finite.max())


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """N reconstructions, each judged at least once by annotators of one kind."""

    name: str
    judged_by: AnnotatorKind
    items: tuple[str, ...]
    settings: tuple[str, ...]
    """Of each item: the attack, the victim and the defense that made it."""
    originals: tuple[str, ...]
    """Of each item. What one original yields hangs together: the bootstrap draws originals."""
    recognised: NDArray[np.int64]
    """``(N,)``, how many named the original's class."""
    judges: NDArray[np.int64]
    """``(N,)``, how many judged, at least 1."""
    metrics: tuple[Metric, ...]

    def __post_init__(self) -> None:
        """Check that it is a study.

        Raises:
            InvalidAnnotations: no item, an item twice, or counts that cannot be.
            InvalidDataset: no metric, one twice, or one with NaN or with another number of values.
        """
        if not self.items:
            raise InvalidAnnotations(f"expected judged reconstructions in {self.name}, got none")
        twice = [item for item, count in Counter(self.items).items() if count > 1]
        if twice:
            raise InvalidAnnotations(
                f"expected each item once in {self.name}, got {twice[0]} and {len(twice) - 1} more"
            )
        impossible = int(((self.judges < 1) | (self.recognised < 0) | (self.recognised > self.judges)).sum())
        if impossible:
            raise InvalidAnnotations(
                f"expected at least one judge of each item, and no more recognitions than judges, got {impossible} "
                f"items of {self.name} without"
            )
        if not self.metrics:
            raise InvalidDataset(f"expected at least one metric of {self.name}, got none")
        names = Counter([JUDGES, *(metric.name for metric in self.metrics)])
        if names.most_common(1)[0][1] > 1:
            raise InvalidDataset(
                f"expected other names than {JUDGES}, each once, got {names.most_common(1)[0][0]} again"
            )
        for metric in self.metrics:
            if metric.values.shape != (len(self.items),):
                raise InvalidDataset(f"expected {len(self.items)} values of {metric.name}, got {metric.values.shape}")
            missing = int(np.isnan(metric.values).sum())
            if missing:
                raise InvalidDataset(f"expected a value of {metric.name} for each item, got NaN for {missing}")

    @property
    def shares(self) -> Floats:
        """``(N,)``, the share of judges who recognised each item, 0..1."""
        shares: Floats = self.recognised / self.judges
        return shares

    @property
    def majority(self) -> NDArray[np.bool_]:
        """``(N,)``, whether more than half of an item's judges recognised it."""
        majority: NDArray[np.bool_] = 2 * self.recognised > self.judges
        return majority

    @property
    def setting_names(self) -> tuple[str, ...]:
        """The settings, in the order in which they first come."""
        return tuple(dict.fromkeys(self.settings))

    @property
    def original_names(self) -> tuple[str, ...]:
        """The originals, in the order in which they first come."""
        return tuple(dict.fromkeys(self.originals))

    def without_small_settings(self) -> tuple["Study", dict[str, int]]:
        """The study without settings of fewer than five items, and how many items each of these has.

        Raises:
            InvalidAnnotations: fewer than two settings are left to compare.
        """
        counts = Counter(self.settings)
        small = {name: count for name, count in counts.items() if count < SMALLEST_SETTING}
        if len(counts) - len(small) < 2:
            raise InvalidAnnotations(
                f"expected at least 2 settings of at least {SMALLEST_SETTING} judged reconstructions in {self.name}, "
                f"got {len(counts) - len(small)}"
            )
        rows = [row for row, setting in enumerate(self.settings) if setting not in small]
        kept = Study(
            self.name,
            self.judged_by,
            tuple(self.items[row] for row in rows),
            tuple(self.settings[row] for row in rows),
            tuple(self.originals[row] for row in rows),
            self.recognised[rows],
            self.judges[rows],
            tuple(Metric(metric.name, metric.direction, metric.values[rows]) for metric in self.metrics),
        )
        return kept, small


def positions(names: Sequence[str], of: Sequence[str]) -> NDArray[np.intp]:
    """For each of ``of`` its place in ``names``."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[name] for name in of], dtype=np.intp)
