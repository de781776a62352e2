"""Which originals and reconstructions meet in a step. All randomness hangs on the seed and the epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Comparisons: reconstruction ``nearer`` shall be nearer to its anchor than ``farther`` is to its own."""

    originals: NDArray[np.int64]
    """``(A,)``, indices into the set's originals."""
    reconstructions: NDArray[np.int64]
    """``(R,)``, indices into the set's reconstructions."""
    group: NDArray[np.int64]
    """``(R,)``: the anchor that each reconstruction is shown with."""
    nearer: NDArray[np.int64]
    """``(T, 2)``: anchor and reconstruction, indices into the two above."""
    farther: NDArray[np.int64]
    """``(T, 2)``, the same."""
    difference: NDArray[np.float64]
    """``(T,)``: by how much more annotators recognised the nearer one, 0..1; of a stranger nobody did."""


def steps_per_epoch(judged: JudgedReconstructions, recipe: MetricRecipe) -> int:
    """Batches an epoch: every positive once, or every original as often as it has reconstructions to fill groups."""
    if recipe.sampling == "triplets":
        return -(-int(judged.majority.sum()) // recipe.batch)
    return max(1, len(judged) // (recipe.batch * recipe.reconstructions))


def batches(judged: JudgedReconstructions, recipe: MetricRecipe, seed: int, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch.

    Raises:
        InvalidAnnotations: nothing to compare: all reconstructions recognised, or none.
    """
    if judged.majority.all() or not judged.majority.any():
        raise InvalidAnnotations(
            f"expected recognised and unrecognised reconstructions to compare, got {int(judged.majority.sum())} "
            f"recognised of {len(judged)}"
        )
    rng = np.random.default_rng([seed, epoch])
    if recipe.sampling == "triplets":
        return _triplets(judged, recipe, rng)
    return _groups(judged, recipe, rng)


def _triplets(judged: JudgedReconstructions, recipe: MetricRecipe, rng: np.random.Generator) -> Iterator[Batch]:
    """Each recognised reconstruction with an unrecognised one of the same original, or, if none, of any other."""
    unrecognised = np.flatnonzero(~judged.majority)
    of = {
        original: unrecognised[judged.original_of[unrecognised] == original]
        for original in np.unique(judged.original_of)
    }
    positives = rng.permutation(np.flatnonzero(judged.majority))
    for start in range(0, len(positives), recipe.batch):
        chosen = positives[start : start + recipe.batch]
        anchors = judged.original_of[chosen]
        negatives = np.asarray([rng.choice(of[a] if len(of[a]) else unrecognised) for a in anchors])
        count = np.arange(len(chosen))
        # Repeated images are kept apart: each is cropped for itself.
        yield Batch(
            anchors,
            np.concatenate([chosen, negatives]),
            np.concatenate([count, count]),
            np.stack([count, count], axis=1),
            np.stack([count, count + len(chosen)], axis=1),
            judged.shares[chosen] - np.where(judged.original_of[negatives] == anchors, judged.shares[negatives], 0.0),
        )


def _groups(judged: JudgedReconstructions, recipe: MetricRecipe, rng: np.random.Generator) -> Iterator[Batch]:
    own = {int(original): np.flatnonzero(judged.original_of == original) for original in np.unique(judged.original_of)}
    labels = judged.labels
    queue: list[int] = []
    for _ in range(steps_per_epoch(judged, recipe)):
        anchors: list[int] = []
        while len(anchors) < min(recipe.batch, len(own)):
            if not queue:
                queue = [int(original) for original in rng.permutation(list(own))]
            # An original that is in the batch already waits for the next one.
            place = next((i for i, original in enumerate(queue) if original not in anchors), None)
            if place is None:
                queue += [int(original) for original in rng.permutation(list(own))]
                continue
            anchors.append(queue.pop(place))
        picked = [_spread(own[anchor], judged.shares, recipe.reconstructions, rng) for anchor in anchors]
        chosen = np.concatenate(picked)
        anchor_of = np.repeat(np.arange(len(anchors)), [len(part) for part in picked])
        shares = judged.shares[chosen]
        ordered = shares[:, None] > shares[None, :]
        if recipe.anchors == "same":
            ordered &= anchor_of[:, None] == anchor_of[None, :]
        nearer, farther = np.nonzero(ordered)
        sides = np.stack([anchor_of[nearer], nearer], axis=1), np.stack([anchor_of[farther], farther], axis=1)
        difference = shares[nearer] - shares[farther]
        if recipe.strangers:
            shown = labels[judged.original_of[chosen]]
            clear = shares > 0
            mine, others = np.nonzero(clear[:, None] & clear[None, :] & (shown[:, None] != shown[None, :]))
            sides = (
                np.concatenate([sides[0], np.stack([anchor_of[mine], mine], axis=1)]),
                np.concatenate([sides[1], np.stack([anchor_of[mine], others], axis=1)]),
            )
            difference = np.concatenate([difference, shares[mine]])
        yield Batch(np.asarray(anchors), chosen, anchor_of, *sides, difference)


def _spread(
    own: NDArray[np.int64], shares: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """At most ``count`` of an original's reconstructions, recognised and unrecognised in turn as far as they go."""
    shuffled = rng.permutation(own)
    high = [index for index in shuffled if shares[index] > 0.5]
    low = [index for index in shuffled if shares[index] <= 0.5]
    taken: list[int] = []
    while len(taken) < count and (high or low):
        side = (high or low) if len(taken) % 2 == 0 else (low or high)
        taken.append(int(side.pop()))
    return np.asarray(taken, dtype=np.int64)
