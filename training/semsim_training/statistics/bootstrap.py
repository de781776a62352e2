"""The bootstrap over groups of items, such as originals with all reconstructions of them.

A draw takes as many groups as there are, with replacement, and each with all its items: items of one group hang
together, and drawing them apart would claim a precision that is not there. A draw is thus a whole-number weight for
each item.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.statistics.intervals import Floats

_DRAWS_AT_ONCE = 64
"""The weights of so many draws, over a few thousand items, stay in the cache."""
_TRIES = 200


def resampled(groups: int, draws: int, seed: int | np.random.Generator) -> Floats:
    """The count of each group in each draw, ``(draws, groups)``; every row sums to ``groups``."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of groups of N items.

    Draw 0 takes each group once: it is the sample itself, so that a figure and its interval come from one computation.
    """

    counts: Floats
    """The count of each group in each draw, ``(1 + draws, groups)``; row 0 is ones."""
    group: NDArray[np.intp]
    """The group of each item, ``(N,)``."""

    @classmethod
    def of(
        cls, groups: Sequence[str], draws: int, seed: int, *, settings: Sequence[str] | None = None, name: str = ""
    ) -> Self:
        """Draw the groups of items; with ``settings`` of the items, only draws that hold an item of every setting.

        Args:
            groups: the group of each item.
            draws: the number of draws to make.
            seed: makes the draws.
            settings: the setting of each item. A draw that leaves one without items is made again.
            name: the name of the items, for the error.

        Raises:
            InvalidAnnotations: hardly any draw holds an item of every setting, since some settings have too few.
        """
        names = tuple(dict.fromkeys(groups))
        group = positions(names, groups)
        present = _present(group, settings or ("",) * len(groups))
        rng = np.random.default_rng(seed)
        parts, kept = [np.ones((1, len(names)))], 0
        for _ in range(_TRIES):
            counts = resampled(len(names), draws, rng)
            counts = counts[(counts @ present > 0).all(axis=1)][: draws - kept]
            parts.append(counts)
            kept += len(counts)
            if kept == draws:
                return cls(np.concatenate(parts), group)
        raise InvalidAnnotations(
            f"expected settings with enough originals to draw from, got {kept} of {draws} draws of {name} "
            "with an item of every setting"
        )

    def weights(self) -> Iterator[tuple[slice, Floats]]:
        """Some draws at a time: their rows, and the weight of each item in each of them, ``(some draws, N)``."""
        for start in range(0, len(self.counts), _DRAWS_AT_ONCE):
            rows = slice(start, start + _DRAWS_AT_ONCE)
            yield rows, self.counts[rows][:, self.group]

    def means(self, values: Floats, settings: NDArray[np.intp]) -> Floats:
        """The mean of ``values`` ``(N,)`` over the items of each setting in each draw, ``(1 + draws, settings)``."""
        shape = (self.counts.shape[1], int(settings.max()) + 1)
        sums, items = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, (self.group, settings), values)
        np.add.at(items, (self.group, settings), 1.0)
        means: Floats = (self.counts @ sums) / (self.counts @ items)
        # Equal means must stay equal: rounding errors of sums would order them.
        digits = 12 - int(np.ceil(np.log10(np.abs(means).max() or 1.0)))
        return np.round(means, digits)


def positions(names: Sequence[str], of: Sequence[str]) -> NDArray[np.intp]:
    """The place in ``names`` of each text in ``of``."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[text] for text in of], dtype=np.intp)


def _present(group: NDArray[np.intp], settings: Sequence[str]) -> Floats:
    """1 where a group has an item of a setting, else 0, ``(groups, settings)``."""
    names = tuple(dict.fromkeys(settings))
    present = np.zeros((int(group.max()) + 1, len(names)))
    present[group, positions(names, settings)] = 1.0
    return present
