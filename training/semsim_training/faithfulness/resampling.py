"""The bootstrap over originals.

A draw takes as many originals as there are, with replacement, and with each all that was made of it: what comes of one
original hangs together, over settings, too. A draw is thus a whole-number weight for each item. Draw 0 takes each
original once: it is the study itself, so that a figure and its interval come from one computation. Settings and judges
stay fixed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.faithfulness.study import Floats, Study, positions

_AT_ONCE = 64
"""Draws; their arrays of a few thousand items then stay in the cache."""
_TRIES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of originals."""

    counts: Floats
    """``(1 + draws, originals)``, how often each original was drawn; row 0 is ones."""
    original: NDArray[np.intp]
    """``(N,)``, of each item."""

    @classmethod
    def of(cls, study: Study, draws: int, seed: int) -> Self:
        """``draws`` draws in each of which every setting has an item, drawn again where one has none.

        Raises:
            InvalidAnnotations: hardly any draw has an item of every setting: some have too few.
        """
        names = study.original_names
        original = positions(names, study.originals)
        present = np.zeros((len(names), len(study.setting_names)))
        present[original, positions(study.setting_names, study.settings)] = 1.0
        rng = np.random.default_rng(seed)
        found, kept = [np.ones((1, len(names)))], 0
        for _ in range(_TRIES):
            counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws).astype(np.float64)
            counts = counts[(counts @ present > 0).all(axis=1)][: draws - kept]
            found.append(counts)
            kept += len(counts)
            if kept == draws:
                return cls(np.concatenate(found), original)
        raise InvalidAnnotations(
            f"expected settings with enough originals to draw from, got {kept} of {draws} draws of {study.name} "
            "with an item of every setting"
        )

    def weights(self) -> Iterator[tuple[slice, Floats]]:
        """Which draws, and the weight of each item in each of them, ``(some draws, N)``."""
        for start in range(0, len(self.counts), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            yield rows, self.counts[rows][:, self.original]

    def means(self, values: Floats, groups: NDArray[np.intp]) -> Floats:
        """The mean of ``values`` ``(N,)`` over the items of each group in each draw, ``(1 + draws, groups)``."""
        shape = (self.counts.shape[1], int(groups.max()) + 1)
        sums, items = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, (self.original, groups), values)
        np.add.at(items, (self.original, groups), 1.0)
        means: Floats = (self.counts @ sums) / (self.counts @ items)
        # Equal means must stay equal: rounding errors of sums would order them.
        digits = 12 - int(np.ceil(np.log10(np.abs(means).max() or 1.0)))
        return np.round(means, digits)
