"""The numbers in file names: the order that they give, and what they say against a pairing by order."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from semsim.exceptions import UnmatchedImages

_DIGITS = re.compile(r"(\d+)")
_HINT = "give the files the same names and use --match name"


def composed(path: Path) -> Path:
    """The path with each character written as one, as far as there is one (UAX #15, NFC)."""
    return Path(unicodedata.normalize("NFC", str(path)))


def in_natural_order(paths: Sequence[Path]) -> list[Path]:
    """The paths in the order of their numbers, so that 2 comes before 10."""
    return sorted(paths, key=lambda path: ([_split(part) for part in composed(path.with_suffix("")).parts], path))


def check_pairing(pairs: Sequence[tuple[Path, Path]]) -> str:
    """Refuse to pair by order where the names speak against it; return what is to be told of the numbers, or ''.

    Args:
        pairs: the i-th original with the i-th reconstruction, both in natural order.

    Raises:
        UnmatchedImages: the same numbers are on both sides, but not in the same pairs; or the numbers do not agree, and
            sorting by letters would give other pairs.
    """
    originals, reconstructions = ([pair[side] for pair in pairs] for side in (0, 1))
    left, right = _numbers(originals), _numbers(reconstructions)
    first = f"{pairs[0][0]} with {pairs[0][1]}"
    by_letters = set(zip(sorted(originals, key=composed), sorted(reconstructions, key=composed), strict=True))
    if left and right and len(left[0]) == len(right[0]):
        if left == right:
            return _told_of_letters(pairs, by_letters)
        gaps = {tuple(b - a for a, b in zip(one, other, strict=True)) for one, other in zip(left, right, strict=True)}
        shared = set(left) & set(right)
        if gaps in ({(1,)}, {(-1,)}) or (len(gaps) == 1 and not shared):
            return f"the numbers of originals and reconstructions do not begin alike: {first} is the first pair"
        if shared:
            place = next(index for index, one in enumerate(left) if one != right[index])
            raise UnmatchedImages(
                f"expected the same numbers in the names on both sides, or none of them, got {pairs[place][0]} "
                f"with {pairs[place][1]} to match by index: {_HINT}"
            )
    if by_letters != set(pairs):
        raise UnmatchedImages(
            "expected names of one order to match by index, got other pairs by their numbers (2 before 10) than by "
            f"their letters: {_HINT}"
        )
    if not left and not right:
        return ""
    return f"paired by their order alone, which the numbers in the names do not confirm: {first}"


def _told_of_letters(pairs: Sequence[tuple[Path, Path]], by_letters: set[tuple[Path, Path]]) -> str:
    """Warn where numbers agree and letters would pair otherwise: the attack may have gone by these."""
    other = next((pair for pair in pairs if pair not in by_letters), None)
    if other is None:
        return ""
    return (
        f"paired by their numbers, 2 before 10, such as {other[0]} with {other[1]}; their letters, 10 before 2, "
        "give other pairs: check that the attack read the originals in the order of their numbers"
    )


def _split(name: str) -> list[str | int]:
    """The text and the numbers of a name in turn; a text comes first, if an empty one."""
    return [int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(name))]


def _numbers(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """The numbers in which the paths differ; none where they have not as many each, or two have the same ones."""
    everything = [tuple(map(int, _DIGITS.findall(str(path.with_suffix(""))))) for path in paths]
    if len({len(numbers) for numbers in everything}) > 1:
        return []
    varying = [place for place, column in enumerate(zip(*everything, strict=True)) if len(set(column)) > 1]
    numbers = [tuple(one[place] for place in varying) for one in everything]
    return numbers if varying and len(set(numbers)) == len(numbers) else []
