"""A study: a judged set, and the values of metrics."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from semsim.exceptions import InvalidAnnotations, InvalidDataset
from semsim_training.faithfulness.metric_values import Metric
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.statistics.bootstrap import Draws
from semsim_training.statistics.intervals import Floats

SMALLEST_SETTING = 5
"""The fewest reconstructions of a setting. The mean of fewer says nothing, and draws of originals often hold none."""

ANNOTATORS = "annotators"
"""The annotators among the metrics: their leakage is the recognised share."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A judged set, and at least one metric of its items."""

    judged: JudgedSet
    metrics: tuple[Metric, ...]

    def __post_init__(self) -> None:
        """Check that metrics and items belong together.

        Raises:
            InvalidAnnotations: there is no item.
            InvalidDataset: there is no metric, one occurs twice, or one has NaN or another number of values.
        """
        items, name = len(self.judged), self.judged.name
        if not items:
            raise InvalidAnnotations(f"expected judged reconstructions in {name}, got none")
        if not self.metrics:
            raise InvalidDataset(f"expected at least one metric of {name}, got none")
        names = Counter([ANNOTATORS, *(metric.name for metric in self.metrics)])
        if names.most_common(1)[0][1] > 1:
            raise InvalidDataset(
                f"expected other names than {ANNOTATORS}, each once, got {names.most_common(1)[0][0]} again"
            )
        for metric in self.metrics:
            if metric.values.shape != (items,):
                raise InvalidDataset(f"expected {items} values of {metric.name}, got {metric.values.shape}")
            missing = int(np.isnan(metric.values).sum())
            if missing:
                raise InvalidDataset(f"expected a value of {metric.name} for each item, got NaN for {missing}")

    @property
    def leakages(self) -> dict[str, Floats]:
        """The leakage of each item by the annotators and by each metric, ``(N,)`` each; higher = more."""
        return {ANNOTATORS: self.judged.shares, **{metric.name: metric.leakage for metric in self.metrics}}

    def draws(self, draws: int, seed: int) -> Draws:
        """Draws of originals in each of which every setting has an item.

        Raises:
            InvalidAnnotations: hardly any draw has an item of every setting, since some settings have too few.
        """
        judged = self.judged
        return Draws.of(judged.originals, draws, seed, settings=judged.settings, name=judged.name)

    def without_small_settings(self) -> tuple["Study", dict[str, int]]:
        """The study without settings of fewer than five items, and how many items each of these has.

        Raises:
            InvalidAnnotations: fewer than two settings are left to compare.
        """
        counts = Counter(self.judged.settings)
        small = {name: count for name, count in counts.items() if count < SMALLEST_SETTING}
        if len(counts) - len(small) < 2:
            raise InvalidAnnotations(
                f"expected at least 2 settings of at least {SMALLEST_SETTING} judged reconstructions in "
                f"{self.judged.name}, got {len(counts) - len(small)}"
            )
        kept = np.array([setting not in small for setting in self.judged.settings])
        return Study(self.judged.take(kept), tuple(metric.take(kept) for metric in self.metrics)), small
