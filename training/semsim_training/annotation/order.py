"""The order in which one annotator sees items. It keeps one item from giving away another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semsim.exceptions import InvalidOption
from semsim_training.annotation.items import Item, Shown
from semsim_training.seeds import stable_hash


@dataclass(frozen=True, slots=True)
class Showing:
    """One showing of an item."""

    item: Item
    repeat: int = 0
    """1 for the second showing."""


def chosen(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    """``limit`` of the items, or all, the same for every annotator, so that their judgements can be compared."""
    return tuple(sorted(items, key=lambda item: stable_hash(f"{seed}/{item.identifier}"))[:limit])


def showing_order(
    items: Sequence[Item], gold: Sequence[Item], *, annotator: str, seed: int, repeats: int, distance: int
) -> tuple[Showing, ...]:
    """Items and gold in an order that depends on the annotator and the seed alone.

    A clean original comes after every reconstruction of it, which it would give away. Reconstructions of such originals
    are drawn towards the beginning, so that the originals do not all gather at the end. ``repeats`` reconstructions are
    shown a second time, at least ``distance`` places after the first.

    Raises:
        InvalidOption: there is no room for so many repeats so far apart.
    """
    rng = np.random.default_rng(stable_hash(f"{seed}/{annotator}"))
    latest = {item.image: float(rng.uniform(0.5, 1)) for item in gold if item.shown is Shown.CLEAN}
    moments = [
        latest[item.image] if item.shown is Shown.CLEAN else float(rng.random()) * latest.get(item.image, 1.0)
        for item in (*items, *gold)
    ]
    placed = sorted(zip(moments, (*items, *gold), strict=True), key=lambda pair: (pair[0], pair[1].identifier))
    order = [Showing(item) for _, item in placed]
    candidates = [showing for showing in order if showing.item.shown is Shown.RECONSTRUCTION]
    done = 0
    for place in rng.permutation(len(candidates)):
        if done == repeats:
            break
        done += _repeat(order, candidates[place], distance, rng)
    if done < repeats:
        raise InvalidOption(
            f"expected room for {repeats} repeats, each {distance} places after the first showing, "
            f"got room for {done} among {len(order) - done}: ask for fewer"
        )
    return tuple(order)


def _repeat(order: list[Showing], first: Showing, distance: int, rng: np.random.Generator) -> bool:
    """Show an item once more where there is room before its clean original."""
    image = first.item.image
    last = next(
        (at for at, showing in enumerate(order) if showing.item.shown is Shown.CLEAN and showing.item.image == image),
        len(order),
    )
    earliest = order.index(first) + distance
    if earliest > last:
        return False
    order.insert(int(rng.integers(earliest, last + 1)), Showing(first.item, repeat=1))
    return True
