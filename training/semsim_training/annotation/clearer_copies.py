"""The effect of a clearer copy: whether annotators know a reconstruction again by a better one of the same original.

On dealt sheets half of the repeats come after nearer reconstructions of their original, and half after none. What the
second answers of the two halves gain over the first answers differs by that effect.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import Judgement
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import CONFIDENCE, Interval

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Repeated:
    """Reconstructions that annotators judged twice."""

    items: int
    first: float
    """The share that was recognised at first, 0..1."""
    again: float
    """The share that was recognised the second time."""
    gain: Interval
    """The interval of the second share less the first, over draws of items."""

    @classmethod
    def of(cls, pairs: Sequence[tuple[bool, bool]]) -> Self:
        """The shares of first and second answers.

        Raises:
            InvalidAnnotations: there are none.
        """
        if not pairs:
            raise InvalidAnnotations("expected reconstructions that were judged twice, got none")
        values = np.asarray(pairs, dtype=np.float64)
        gains = resampled(len(values), _DRAWS, 0) @ (values[:, 1] - values[:, 0]) / len(values)
        low, high = np.quantile(gains, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
        first, again = values.mean(axis=0)
        return cls(len(values), float(first), float(again), Interval(float(low), float(high)))


@dataclass(frozen=True, slots=True)
class ClearerCopies:
    """The two halves of the repeats."""

    after_clearer: Repeated
    """Judged again after nearer reconstructions of the same original."""
    alone: Repeated
    """Judged again after none."""

    @classmethod
    def of(cls, judgements: Sequence[Judgement], originals: Mapping[str, Mapping[str, str]]) -> Self:
        """The repeats of dealt sheets, of whatever sets and annotators.

        Args:
            judgements: the judgements of dealt sheets; those by other protocols do not count.
            originals: the name of each item's original, by set and item; judgements of other sets do not count.

        Raises:
            InvalidAnnotations: there are no repeats of one half, or a set does not have an item.
        """
        shown = [
            one
            for one in judgements
            if one.dataset in originals and one.shown is Shown.RECONSTRUCTION and "-dealt" in one.protocol
        ]
        try:
            named = [(one, (one.annotator, originals[one.dataset][one.item])) for one in shown]
        except KeyError as error:
            raise InvalidAnnotations(f"expected judgements of items of the sets given, got one of {error}") from error
        met = Counter(original for one, original in named if one.repeat == 0)
        first = {(one.annotator, one.dataset, one.item): one.recognised for one in shown if one.repeat == 0}
        pairs: dict[bool, list[tuple[bool, bool]]] = {True: [], False: []}
        for one, original in named:
            if one.repeat == 1 and (before := first.get((one.annotator, one.dataset, one.item))) is not None:
                pairs[met[original] > 1].append((before, one.recognised))
        return cls(Repeated.of(pairs[True]), Repeated.of(pairs[False]))

    def markdown(self) -> str:
        """A table of the two halves."""
        halves = (("after clearer copies", self.after_clearer), ("without", self.alone))
        return "\n".join(
            (
                "| judged again | items | recognised at first | the second time | gain, 95% |",
                "|---|---|---|---|---|",
                *(
                    f"| {name} | {one.items} | {one.first:.1%} | {one.again:.1%} "
                    f"| {one.gain.low:+.1%} to {one.gain.high:+.1%} |"
                    for name, one in halves
                ),
            )
        )
