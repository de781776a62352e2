"""Dealing reconstructions to annotators."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semsim.exceptions import InvalidOption
from semsim_training.annotation.dealing import deal, far_to_near, hands_needed, original_of
from semsim_training.annotation.items import Item, Shown
from tests.training.annotation.sets import row_of


def items_of(counts: list[int]) -> list[Item]:
    """Reconstructions without pixels: so many of each original."""
    rows = [replace(ROW, image=f"image-{original}", original_sha256=f"{original}") for original in range(len(counts))]
    return [
        Item(f"{original:03d}-{number}", Shown.RECONSTRUCTION, "cat", row.image, row)
        for original, (row, count) in enumerate(zip(rows, counts, strict=True))
        for number in range(count)
    ]


ROW = row_of(0)


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(1, 33), min_size=1, max_size=20),
    meetings=st.integers(1, 5),
    largest=st.integers(5, 60),
    seed=st.integers(0, 10**6),
)
def test_nobody_meets_an_original_too_often(counts: list[int], meetings: int, largest: int, seed: int) -> None:
    """Each item is dealt once. No annotator gets more items than asked for, nor more of an original."""
    items = items_of(counts)
    hands = deal(items, hands_needed(items, meetings, largest), seed)
    dealt = [item.identifier for hand in hands for item in hand]
    assert sorted(dealt) == sorted(item.identifier for item in items)
    for hand in hands:
        assert max(Counter(map(original_of, hand)).values(), default=0) <= meetings
        assert len(hand) <= largest + 1


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), repeats=st.integers(0, 12))
def test_the_farthest_comes_first(seed: int, repeats: int) -> None:
    """The farthest reconstruction of an original comes first, its clean image last, each a sheet apart."""
    items = items_of([4] * 20 + [1] * 40)
    gold = [
        *(Item(f"clean-{item.image}", Shown.CLEAN, "cat", item.image, item.row) for item in items[:12:4]),
        *(Item(f"noise-{number}", Shown.NOISE, None, "") for number in range(3)),
    ]
    distances = {item.identifier: float(int(item.identifier[-1]) * 7 % 5) for item in items}
    order = far_to_near(items, gold, distances, seed=seed, repeats=repeats, apart=9)
    places: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(order):
        places[original_of(one.item)].append(place)
    for original, shown in places.items():
        assert min((b - a for a, b in pairwise(shown)), default=9) >= 9, original
        firsts = [order[place] for place in shown if order[place].repeat == 0]
        kinds = [one.item.shown for one in firsts]
        assert kinds == sorted(kinds, key=lambda kind: kind is Shown.CLEAN)
        far = [distances[one.item.identifier] for one in firsts if one.item.shown is Shown.RECONSTRUCTION]
        assert far == sorted(far, reverse=True)
    again = [one.item for one in order if one.repeat]
    met_again = [item for item in again if len([one for one in items if one.image == item.image]) > 1]
    assert (len(again), len(met_again)) == (repeats, repeats // 2)
    assert all(distances[item.identifier] == 4 for item in met_again)


def test_too_little_room_is_refused() -> None:
    """Showings that cannot stand apart, and repeats that cannot be had, are told."""
    with pytest.raises(InvalidOption, match="expected room for 4 showings of an original 30 places apart"):
        far_to_near(
            items_of([4, 4]), [], {item.identifier: 1.0 for item in items_of([4, 4])}, seed=0, repeats=0, apart=30
        )
    with pytest.raises(InvalidOption, match="expected at least 3 originals to repeat, got 2"):
        far_to_near(
            items_of([4, 4]), [], {item.identifier: 1.0 for item in items_of([4, 4])}, seed=0, repeats=3, apart=1
        )
