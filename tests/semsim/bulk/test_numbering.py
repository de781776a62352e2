"""The pairing by order: natural order, and the names that speak against it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from semsim.bulk.matching import match_by_index
from semsim.bulk.numbering import in_natural_order
from semsim.exceptions import UnmatchedImages


def paths(names: Sequence[object], suffix: str = "png") -> list[Path]:
    """Files of these names, sorted by letters as a listing is."""
    return sorted(Path(f"{name}.{suffix}") for name in names)


def test_numbers_are_in_natural_order() -> None:
    """2 comes before 10, in folders, too; a number with zeros in front comes where its value belongs."""
    names = ["10", "9", "a10/1", "a9/1", "a9/b", "02", "1"]
    assert in_natural_order(paths(names)) == [
        Path(f"{name}.png") for name in ("1", "02", "9", "10", "a9/1", "a9/b", "a10/1")
    ]


@pytest.mark.parametrize(
    ("originals", "reconstructions"),
    [
        (range(12), range(12)),
        ([f"cifar10_{i}" for i in range(10)], [f"run2/rec_{i:02}_best" for i in range(10)]),
        (["client1/3", "client1/7", "client2/7"], ["c01_03", "c01_07", "c02_07"]),
        (["8", "9", "10"], ["8 (copy)", "9 (copy)", "10 (copy)"]),
        (["cat", "dog"], ["a", "b"]),
        (["only"], ["7"]),
    ],
)
def test_names_with_the_same_numbers_pair_silently(
    originals: Sequence[object], reconstructions: Sequence[object]
) -> None:
    """Where the numbers agree, or there are none, the pairs are those of the given order and nothing is told."""
    matching = match_by_index(paths(originals), paths(reconstructions, "jpg"))
    assert set(matching.pairs) == {
        (Path(f"{original}.png"), Path(f"{other}.jpg"))
        for original, other in zip(originals, reconstructions, strict=True)
    }
    assert matching.note == ""


@pytest.mark.parametrize(
    ("originals", "reconstructions", "told"),
    [
        (range(12), range(1, 13), r"do not begin alike: 0\.png with 1\.png is the first pair"),
        (range(1, 13), range(12), r"do not begin alike: 1\.png with 0\.png"),
        (range(1, 13), range(101, 113), "do not begin alike"),
        (
            [1042, 5531, 7310],
            ["rec0", "rec1", "rec2"],
            r"do not confirm: 1042\.png with rec0\.png",
        ),
        (["a_1", "a_2", "b_1", "b_2"], [1, 2, 3, 4], "do not confirm"),
        (["cat", "dog"], ["1", "2"], "do not confirm"),
    ],
)
def test_numbers_that_do_not_agree_are_told(
    originals: Sequence[object], reconstructions: Sequence[object], told: str
) -> None:
    """Where order alone makes the pairs, and no name speaks against them, that is said."""
    assert re.search(told, match_by_index(paths(originals), paths(reconstructions)).note)


@pytest.mark.parametrize(
    ("originals", "reconstructions", "told"),
    [
        (range(1, 13), [f"rec_{i:03}" for i in range(1, 13)], r"such as 2\.png with rec_002\.png"),
        (
            [f"cifar10_{i}" for i in range(12)],
            [f"run2/rec_{i:02}_best" for i in range(12)],
            r"cifar10_2\.png with run2",
        ),
        (["client1/3", "client1/20", "client2/7"], ["c01_03", "c01_20", "c02_07"], r"client1/3\.png with c01_03\.png"),
    ],
)
def test_numbers_that_agree_where_letters_do_not_are_told(
    originals: Sequence[object], reconstructions: Sequence[object], told: str
) -> None:
    """``rec_002`` may be of the original that came second by letters, 10: the pairs are those of the numbers, aloud."""
    matching = match_by_index(paths(originals), paths(reconstructions))
    assert re.search(told + ".*; their letters, 10 before 2, give other pairs", matching.note)


@pytest.mark.parametrize(
    ("originals", "reconstructions", "told"),
    [
        ([1, 2, 3, 5], [1, 2, 4, 5], r"got 3\.png with 4\.png"),
        (range(100), range(50, 150), r"got 0\.png with 50\.png"),
        ([1, 2, 3], [3, 5, 9], r"got 1\.png with 3\.png"),
        (range(1, 13), "abcdefghijkl", "other pairs by their numbers"),
        (range(1, 4), ["x7", "x30", "x200"], "other pairs by their numbers"),
        (range(8, 12), [70, 71, 72, 75], "other pairs by their numbers"),
    ],
)
def test_names_that_speak_against_the_pairs_are_refused(
    originals: Sequence[object], reconstructions: Sequence[object], told: str
) -> None:
    """The same number in other pairs, and two orders that give other pairs, are refused."""
    with pytest.raises(UnmatchedImages, match=told):
        match_by_index(paths(originals), paths(reconstructions))
