"""The matching of reconstructions to originals, by name, by index or by distance."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from semsim.bulk.files import list_images
from semsim.bulk.numbering import check_pairing, composed, in_natural_order
from semsim.exceptions import UnmatchedImages


class Match(StrEnum):
    """The ways to pair originals and reconstructions."""

    NAME = "name"
    INDEX = "index"
    BEST = "best"
    ASSIGNMENT = "assignment"


@dataclass(frozen=True, slots=True)
class Matching:
    """Pairs of paths relative to their directories, and the paths without a partner."""

    pairs: tuple[tuple[Path, Path], ...]
    lone_originals: tuple[Path, ...] = ()
    lone_reconstructions: tuple[Path, ...] = ()
    note: str = ""
    """A warning about the pairing, such as that numbers do not begin alike; or nothing."""
    is_exact: bool = True
    """False where pairs of the least total distance were asked for, and these are not proved to be them."""
    looked_at_all: bool = True
    """False where some reconstructions were not looked at beside all originals: no gate has seen those pairs."""

    def unproved(self, *, is_gate: bool) -> str:
        """The reasons why a run does not end with 0, for what it prints; empty where there are none."""
        reasons = {
            "the pairs are not proved to be the right ones": not self.is_exact,
            "not all pairs were looked at for being moved": is_gate and not self.looked_at_all,
        }
        return ", and ".join(reason for reason, holds in reasons.items() if holds)


def find_images(directory: Path) -> list[Path]:
    """The PNG, JPEG and WebP files below ``directory``, relative to it, sorted.

    Raises:
        UnmatchedImages: no such directory, or no image in it.
    """
    return list(list_images(directory).images)


def match_by_name(originals: Sequence[Path], reconstructions: Sequence[Path]) -> Matching:
    """Pair the original ``a/7.png`` with ``a/7.jpg``, and with every image in ``a/7/``: many reconstructions of it.

    Names are compared by their characters: macOS writes an umlaut as two, other systems as one (UAX #15, NFC).

    Raises:
        UnmatchedImages: two originals have names that only differ in their suffix, or in how they write a character.
    """
    by_name: dict[Path, Path] = {}
    for original in originals:
        twin = by_name.setdefault(composed(original.with_suffix("")), original)
        if twin is not original:
            raise UnmatchedImages(f"expected originals with distinct names, got {twin} and {original}")
    pairs, lone = [], []
    for reconstruction in reconstructions:
        partner = by_name.get(composed(reconstruction.with_suffix(""))) or by_name.get(composed(reconstruction.parent))
        if partner is None:
            lone.append(reconstruction)
        else:
            pairs.append((partner, reconstruction))
    used = {original for original, _ in pairs}
    unused = tuple(original for original in originals if original not in used)
    return Matching(tuple(sorted(pairs)), lone_originals=unused, lone_reconstructions=tuple(lone))


def match_by_index(originals: Sequence[Path], reconstructions: Sequence[Path]) -> Matching:
    """Pair the i-th original with the i-th reconstruction, both in natural order: 2 comes before 10.

    Raises:
        UnmatchedImages: the two counts differ, or the names speak against the pairing.
    """
    if len(originals) != len(reconstructions):
        raise UnmatchedImages(
            f"expected as many reconstructions as originals to match by index, "
            f"got {len(reconstructions)} and {len(originals)}"
        )
    pairs = tuple(zip(in_natural_order(originals), in_natural_order(reconstructions), strict=True))
    return Matching(pairs, note=check_pairing(pairs))
