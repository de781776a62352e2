"""The order in which an annotator sees items."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semsim.exceptions import InvalidOption
from semsim_training.annotation.items import Item, Shown
from semsim_training.annotation.order import Showing, chosen, showing_order


def reconstructions(originals: int, settings: int) -> list[Item]:
    """Reconstructions of some originals in some settings, without pixels."""
    return [
        Item(f"{image:03d}-{setting}", Shown.RECONSTRUCTION, "cat", f"image-{image}")
        for image in range(originals)
        for setting in range(settings)
    ]


GOLD = [
    *(Item(f"clean-{image}", Shown.CLEAN, "cat", f"image-{image}") for image in range(4)),
    *(Item(f"noise-{number}", Shown.NOISE, None, "") for number in range(3)),
]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), repeats=st.integers(0, 8), distance=st.integers(1, 12))
def test_no_item_gives_another_away(seed: int, repeats: int, distance: int) -> None:
    """Every item is shown once. Originals come after their reconstructions, and repeats far enough after the first."""
    items = reconstructions(originals=8, settings=5)
    order = showing_order(items, GOLD, annotator="ada", seed=seed, repeats=repeats, distance=distance)
    first = {one.item.identifier: place for place, one in enumerate(order) if one.repeat == 0}
    again = {one.item.identifier: place for place, one in enumerate(order) if one.repeat == 1}
    assert sorted(first) == sorted(item.identifier for item in (*items, *GOLD))
    assert len(order) == len(first) + repeats == len(first) + len(again)
    for name, place in again.items():
        assert place - first[name] >= distance
    clean = {one.item.image: place for place, one in enumerate(order) if one.item.shown is Shown.CLEAN}
    for place, one in enumerate(order):
        if one.item.shown is Shown.RECONSTRUCTION and one.item.image in clean:
            assert place < clean[one.item.image]
        if one.repeat:
            assert one.item.shown is Shown.RECONSTRUCTION


def test_the_order_is_the_annotators_own() -> None:
    """The order is the same for the same name and seed, and another for another name or seed."""
    items = reconstructions(originals=8, settings=5)

    def order(annotator: str, seed: int) -> tuple[Showing, ...]:
        return showing_order(items, GOLD, annotator=annotator, seed=seed, repeats=3, distance=6)

    assert order("ada", 1) == order("ada", 1)
    assert order("ada", 1) != order("bob", 1)
    assert order("ada", 1) != order("ada", 2)


def test_repeats_without_room_are_refused() -> None:
    """The message says how many there is room for."""
    with pytest.raises(InvalidOption, match=r"room for 9 repeats, each 5 places after .* got room for \d among 6:"):
        showing_order(reconstructions(3, 2), [], annotator="ada", seed=0, repeats=9, distance=5)


def test_a_limit_chooses_for_all_annotators() -> None:
    """A limit takes the same items whatever the order of the set is. All are taken without a limit."""
    items = reconstructions(8, 5)
    few = chosen(items, 10, seed=1)
    assert few == chosen(items[::-1], 10, seed=1)
    assert len(few) == 10
    assert few != chosen(items, 10, seed=2)
    assert set(chosen(items, None, seed=1)) == set(items)
