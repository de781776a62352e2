"""What a study shows: the items of its sets, the gold items, and what every annotator practises on."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semsim.exceptions import InvalidOption
from semsim_training.annotation.items import SPLITS, Item, ItemSet, Shown, gold_items
from semsim_training.reconstructions.dataset import read_set
from semsim_training.seeds import stable_hash

PROTOCOL = "page/1"
"""How images are shown and answered here; a change that may change answers raises the number."""

_NOISE = 100
"""Images of noise that one annotator can be shown, in each set."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What the person who runs a study decides.

    Raises:
        InvalidOption: shares that leave no room for reconstructions.
    """

    annotators: int = 5
    """How many judge a reconstruction."""
    clean: float = 0.05
    """Share of places that show a clean original."""
    noise: float = 0.05
    """Share of places that show noise."""
    repeats: float = 0.05
    """Share of places that show once more what the annotator has judged."""
    repeat_distance: int = 20
    """At least so many places lie between an item and its repeat."""
    practice: int = 6
    """Images with feedback before the first that counts."""
    lease_seconds: float = 600.0
    """How long an image is kept for an annotator who does not answer."""
    longest_hold_seconds: float = 3600.0
    """How long a pause can keep it."""
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.clean, self.noise, self.repeats)
        if min(shares) < 0 or sum(shares) > 0.5:
            raise InvalidOption(f"expected shares of clean, noise and repeats of at most 0.5 together, got {shares}")


@dataclass(frozen=True, slots=True)
class Card:
    """An item, and the set that it is from."""

    dataset: str
    item: Item

    @property
    def original(self) -> tuple[str, str]:
        """What its image was made of, unique over sets."""
        return self.dataset, self.item.image


@dataclass(frozen=True)
class AnnotationStudy:
    """All cards of a study; the same for the same sets, splits and settings."""

    settings: StudySettings
    classes: Mapping[str, tuple[str, ...]]
    """Of each set."""
    reconstructions: tuple[Card, ...]
    gold: tuple[Card, ...]
    """Clean originals of splits that are not judged, where there are any, and noise."""

    @classmethod
    def of(cls, directories: Sequence[Path], settings: StudySettings, splits: Sequence[str] = SPLITS) -> Self:
        """The study of the finished reconstruction sets in ``directories``.

        Raises:
            InvalidDataset: no finished set there, or nothing in these splits.
            InvalidOption: two sets of one name, or an unknown split.
        """
        if not set(splits) <= set(SPLITS):
            raise InvalidOption(f"expected splits of {', '.join(SPLITS)}, got {', '.join(splits)}")
        sets = [ItemSet.of(directory, splits) for directory in directories]
        names = [one.name for one in sets]
        if len(set(names)) < len(names):
            raise InvalidOption(f"expected sets of different names, got {', '.join(names)}")
        gold = [
            Card(one.name, item)
            for directory, one in zip(directories, sets, strict=True)
            for item in _gold(directory, settings, splits)
        ]
        return cls(
            settings,
            {one.name: one.classes for one in sets},
            tuple(Card(one.name, item) for one in sets for item in one.items),
            tuple(gold),
        )

    @property
    def cards(self) -> Iterable[Card]:
        """Reconstructions and gold."""
        return (*self.reconstructions, *self.gold)

    @property
    def fingerprint(self) -> str:
        """A hash of every card and its pixels."""
        total = hashlib.sha256()
        for card in sorted(self.cards, key=lambda card: card.item.identifier):
            total.update(card.item.identifier.encode() + hashlib.sha256(card.item.png).digest())
        return total.hexdigest()

    def shuffled(self, annotator: str, cards: Iterable[Card]) -> list[Card]:
        """The cards in an order of this annotator's own."""
        return sorted(cards, key=lambda card: self.place(annotator, card.item.identifier))

    def place(self, annotator: str, what: str) -> float:
        """A number in [0, 1) that looks random, of the seed, the annotator and ``what``."""
        return stable_hash(f"{self.settings.seed}/{annotator}/{what}") / 2**63

    def order(self, annotator: str) -> list[str]:
        """The sets one after the other, so that the classes to answer with seldom change."""
        return sorted(self.classes, key=lambda name: self.place(annotator, name))

    def practice(self, annotator: str) -> list[Card]:
        """Half clean originals and half noise, of the annotator's first set; a clean one comes first."""
        first = self.order(annotator)[0]
        gold = {
            shown: self.shuffled(
                annotator, (card for card in self.gold if card.dataset == first and card.item.shown is shown)
            )
            for shown in (Shown.CLEAN, Shown.NOISE)
        }
        count = self.settings.practice
        clean, noise = gold[Shown.CLEAN][: math.ceil(count / 2)], gold[Shown.NOISE][: count // 2]
        return clean[:1] + sorted(
            clean[1:] + noise, key=lambda card: self.place(annotator, f"practice/{card.item.identifier}")
        )


def _gold(directory: Path, settings: StudySettings, splits: Sequence[str]) -> tuple[Item, ...]:
    """All originals that could be shown clean, and noise enough for one annotator, whatever the shares are.

    Who has seen an original judges none of its reconstructions: originals of other splits cost nothing.
    """
    rows = read_set(directory, columns=("image", "split")).to_pylist()
    others = [split for split in SPLITS if split not in splits]
    chosen = others if {row["split"] for row in rows} & set(others) else splits
    clean = len({row["image"] for row in rows if row["split"] in chosen})
    return gold_items(directory, clean, _NOISE + settings.practice // 2, settings.seed, chosen)
