"""Chooses the originals and reconstructions of each step. All randomness hangs on the seed and the epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.metric_recipe import MetricRecipe

_Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Comparisons: reconstruction ``nearer`` shall be nearer to its anchor than ``farther`` is to its own."""

    originals: _Indices
    """The anchors, ``(A,)``, indices into the set's originals."""
    reconstructions: _Indices
    """``(R,)``, indices into the set's reconstructions."""
    group: _Indices
    """The anchor that each reconstruction is shown with, ``(R,)``."""
    nearer: _Indices
    """Anchor and reconstruction of each comparison, ``(T, 2)``, indices into ``originals`` and ``reconstructions``. An
    index from R on means an original: R is the first."""
    farther: _Indices
    """Anchor and reconstruction of each comparison, ``(T, 2)``, as in ``nearer``."""
    difference: NDArray[np.float64]
    """The recognised share of the nearer one less that of the farther, ``(T,)``, 0..1; that of a stranger is 0."""


def steps_per_epoch(train: SizedSet, recipe: MetricRecipe) -> int:
    """Batches an epoch: every positive once, or every original as often as it has reconstructions to fill groups."""
    if recipe.sampling == "triplets":
        return -(-int(train.judged.majority.sum()) // recipe.batch)
    return max(1, len(train) // (recipe.batch * recipe.reconstructions))


def batches(train: SizedSet, recipe: MetricRecipe, seed: int, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch.

    Raises:
        InvalidAnnotations: there is nothing to compare, since all reconstructions were recognised, or none.
    """
    majority = train.judged.majority
    if majority.all() or not majority.any():
        raise InvalidAnnotations(
            f"expected recognised and unrecognised reconstructions to compare, got {int(majority.sum())} "
            f"recognised of {len(train)}"
        )
    rng = np.random.default_rng([seed, epoch])
    if recipe.sampling == "triplets":
        return _triplets(train, recipe, rng)
    return _groups(train, recipe, rng)


def _triplets(train: SizedSet, recipe: MetricRecipe, rng: np.random.Generator) -> Iterator[Batch]:
    """Each recognised reconstruction with an unrecognised one of the same original, or, if none, of any other."""
    shares, majority = train.judged.shares, train.judged.majority
    unrecognised = np.flatnonzero(~majority)
    candidates = {
        original: unrecognised[train.original_of[unrecognised] == original] for original in np.unique(train.original_of)
    }
    positives = rng.permutation(np.flatnonzero(majority))
    for start in range(0, len(positives), recipe.batch):
        chosen = positives[start : start + recipe.batch]
        anchors = train.original_of[chosen]
        negatives = np.asarray([rng.choice(candidates[a] if len(candidates[a]) else unrecognised) for a in anchors])
        count = np.arange(len(chosen))
        # Repeated images are kept apart: each is cropped for itself.
        yield Batch(
            anchors,
            np.concatenate([chosen, negatives]),
            np.concatenate([count, count]),
            np.stack([count, count], axis=1),
            np.stack([count, count + len(chosen)], axis=1),
            shares[chosen] - np.where(train.original_of[negatives] == anchors, shares[negatives], 0.0),
        )


def _groups(train: SizedSet, recipe: MetricRecipe, rng: np.random.Generator) -> Iterator[Batch]:
    """Some originals with several reconstructions each, and every comparison of these that the recipe allows."""
    rows = {int(original): np.flatnonzero(train.original_of == original) for original in np.unique(train.original_of)}
    queue: list[int] = []
    for _ in range(steps_per_epoch(train, recipe)):
        anchors = _next_anchors(queue, list(rows), recipe.batch, rng)
        picked = [_spread(rows[anchor], train.judged.shares, recipe.reconstructions, rng) for anchor in anchors]
        chosen = np.concatenate(picked)
        group = np.repeat(np.arange(len(anchors)), [len(part) for part in picked])
        nearer, farther, difference = _comparisons(train, chosen, group, recipe)
        yield Batch(np.asarray(anchors), chosen, group, nearer, farther, difference)


def _next_anchors(queue: list[int], originals: list[int], count: int, rng: np.random.Generator) -> list[int]:
    """Take ``count`` different originals off ``queue``, which is filled again with all of them in a random order."""
    anchors: list[int] = []
    while len(anchors) < min(count, len(originals)):
        # An original that is in the batch already waits for the next one.
        place = next((place for place, original in enumerate(queue) if original not in anchors), None)
        if place is None:
            queue += [int(original) for original in rng.permutation(originals)]
        else:
            anchors.append(queue.pop(place))
    return anchors


def _comparisons(
    train: SizedSet, chosen: _Indices, group: _Indices, recipe: MetricRecipe
) -> tuple[_Indices, _Indices, NDArray[np.float64]]:
    """The nearer side, the farther side and the difference of shares of every comparison of ``chosen``."""
    shares = train.judged.shares[chosen]
    ordered = shares[:, None] > shares[None, :]
    if recipe.anchors == "same":
        ordered &= group[:, None] == group[None, :]
    first, second = np.nonzero(ordered)
    nearer, farther = np.stack([group[first], first], axis=1), np.stack([group[second], second], axis=1)
    difference = shares[first] - shares[second]
    if not recipe.strangers:
        return nearer, farther, difference
    label = np.array([train.judged.pairs[row].row.class_name for row in chosen])
    _, first_of_group = np.unique(group, return_index=True)
    others = np.concatenate([label, label[first_of_group]])
    clear, clear_others = shares > 0, np.concatenate([shares > 0, np.ones(len(first_of_group), dtype=np.bool_)])
    mine, stranger = np.nonzero(clear[:, None] & clear_others[None, :] & (label[:, None] != others[None, :]))
    return (
        np.concatenate([nearer, np.stack([group[mine], mine], axis=1)]),
        np.concatenate([farther, np.stack([group[mine], stranger], axis=1)]),
        np.concatenate([difference, shares[mine]]),
    )


def _spread(rows: _Indices, shares: NDArray[np.float64], count: int, rng: np.random.Generator) -> _Indices:
    """At most ``count`` of an original's reconstructions, recognised and unrecognised in turn as far as they go."""
    shuffled = rng.permutation(rows)
    high = [row for row in shuffled if shares[row] > 0.5]
    low = [row for row in shuffled if shares[row] <= 0.5]
    taken: list[int] = []
    while len(taken) < count and (high or low):
        side = (high or low) if len(taken) % 2 == 0 else (low or high)
        taken.append(int(side.pop()))
    return np.asarray(taken, dtype=np.int64)
