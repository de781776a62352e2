"""Deals reconstructions to annotators, so that none meets an original often, and each meets its worst copy first.

An annotator who has met a clearer copy of an original names a noisy one from memory.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from semsim.exceptions import InvalidOption
from semsim.progress import Progress, prefixed, silent
from semsim.scorer import Scorer
from semsim_training.annotation.items import Item, ItemSet, Shown
from semsim_training.annotation.order import Showing
from semsim_training.reconstructions.scored_rows import score_rows
from semsim_training.seeds import stable_hash


def original_of(item: Item) -> str:
    """The hash of an item's original, the same in every set; the item's own name for noise."""
    return item.identifier if item.row is None else item.row.original_sha256


def hands_needed(items: Sequence[Item], meetings: int, largest: int) -> int:
    """The fewest annotators who can share the items: each has ``largest`` at most, ``meetings`` of an original."""
    commonest = max(Counter(map(original_of, items)).values())
    return max(math.ceil(commonest / meetings), math.ceil(len(items) / largest))


def item_distances(
    item_set: ItemSet, items: Sequence[Item], scorer: Scorer, progress: Progress = silent
) -> dict[str, float]:
    """The distance of reconstructions of a set from their originals, by the item's name.

    It is infinite where a pair cannot be scored: such a reconstruction counts as the farthest.
    """
    rows = [item.row for item in items if item.row is not None]
    scored = score_rows(item_set.reconstructions, rows, scorer, progress=prefixed(progress, item_set.name))
    distances = (float("inf") if one.score is None else one.score.distance for one in scored)
    return dict(zip((item.identifier for item in items), distances, strict=True))


def deal(items: Sequence[Item], hands: int, seed: int) -> tuple[tuple[Item, ...], ...]:
    """Each item to one of ``hands`` annotators: an original's items as evenly as they go, and all of them, too."""
    rng = np.random.default_rng(seed)
    originals: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.identifier):
        originals[original_of(item)].append(item)
    dealt: list[list[Item]] = [[] for _ in range(hands)]
    for original in sorted(originals, key=lambda name: (-len(originals[name]), stable_hash(f"{seed}/{name}"))):
        given = [0] * hands
        for place in rng.permutation(len(originals[original])):
            lowest = min(range(hands), key=lambda hand: (given[hand], len(dealt[hand]), rng.random()))
            given[lowest] += 1
            dealt[lowest].append(originals[original][place])
    return tuple(map(tuple, dealt))


def far_to_near(
    items: Sequence[Item],
    gold: Sequence[Item],
    distances: Mapping[str, float],
    *,
    seed: int,
    repeats: int,
    apart: int,
) -> tuple[Showing, ...]:
    """One annotator's items and gold: of each original the farthest reconstruction first, its clean image last.

    ``repeats`` reconstructions are shown a second time. Half of them are the farthest of an original that the annotator
    meets again in between, in nearer reconstructions; the others are the only ones of their original. The two halves
    differ by what a clearer copy gives away. Showings of one original are at least ``apart`` places apart.

    Args:
        items: the reconstructions to show.
        gold: clean originals and noise.
        distances: the distance of each reconstruction from its original, by the item's name.
        seed: the seed of the order.
        repeats: the number of reconstructions to show twice.
        apart: the least number of places between two showings of an original.

    Raises:
        InvalidOption: there is no room for so many repeats, or for the showings of an original so far apart.
    """
    rng = np.random.default_rng(seed)
    queues: dict[str, list[Showing]] = defaultdict(list)
    for item in sorted(items, key=lambda item: (-distances[item.identifier], item.identifier)):
        queues[original_of(item)].append(Showing(item))
    again = [queues[name] for name in rng.permutation(sorted(name for name in queues if len(queues[name]) > 1))]
    alone = [queues[name] for name in rng.permutation(sorted(name for name in queues if len(queues[name]) == 1))]
    of_each = max(repeats // 2, repeats - len(alone))
    twice = [*again[:of_each], *alone[: repeats - min(of_each, len(again))]]
    if len(twice) < repeats:
        raise InvalidOption(f"expected at least {repeats} originals to repeat, got {len(twice)}")
    for queue in twice:
        queue.append(Showing(queue[0].item, repeat=1))
    for item in sorted(gold, key=lambda item: (item.shown is Shown.CLEAN, item.identifier)):
        queues[original_of(item)].append(Showing(item))
    # Showings of one original are evenly spaced, from a moment that chance decides.
    moments = [
        ((place + start) / len(queues[name]), name, showing)
        for name, start in zip(sorted(queues), rng.random(len(queues)), strict=True)
        for place, showing in enumerate(queues[name])
    ]
    placed = sorted(moments, key=lambda moment: moment[:2])
    last: dict[str, int] = {}
    for place, (_, name, _) in enumerate(placed):
        if place - last.get(name, -apart) < apart:
            raise InvalidOption(
                f"expected room for {len(queues[name])} showings of an original {apart} places apart, "
                f"got {len(placed)} places"
            )
        last[name] = place
    return tuple(showing for _, _, showing in placed)
