"""A study on the annotation page: its items, its gold items, and the practice of each annotator."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from semsim.exceptions import InvalidOption
from semsim.scorer import Scorer
from semsim_training.annotation.dealing import item_distances
from semsim_training.annotation.items import Item, ItemSet, Shown
from semsim_training.reconstructions.schema import SPLITS
from semsim_training.seeds import stable_hash

PROTOCOL = "page/1"
"""The way in which the page shows images and takes answers. A change that may change answers raises the number."""

_NOISE = 100
"""The number of images of noise of each set that one annotator can be shown."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """The decisions of the person who runs a study.

    Raises:
        InvalidOption: the shares leave no room for reconstructions.
    """

    annotators: int = 5
    """The number of annotators who judge a reconstruction."""
    clean: float = 0.05
    """The share of places that show a clean original."""
    noise: float = 0.05
    """The share of places that show noise."""
    repeats: float = 0.05
    """The share of places that show once more what the annotator has judged."""
    repeat_distance: int = 20
    """The least number of places between an item and its repeat."""
    meetings: int | None = None
    """The largest number of reconstructions of one original that an annotator is shown, repeats apart, each nearer to
    it than those before; ``None`` where an annotator may meet an original however often."""
    practice: int = 6
    """The number of images with feedback before the first that counts."""
    lease_seconds: float = 600.0
    """The time for which an image is kept for an annotator who does not answer."""
    longest_hold_seconds: float = 3600.0
    """The longest time for which a pause can keep an image."""
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.clean, self.noise, self.repeats)
        if min(shares) < 0 or sum(shares) > 0.5:
            raise InvalidOption(f"expected shares of clean, noise and repeats of at most 0.5 together, got {shares}")

    @property
    def shows_originals(self) -> bool:
        """True where an annotator can be shown a clean original."""
        return self.clean > 0 or self.practice > 0


@dataclass(frozen=True, slots=True)
class Card:
    """An item, and the set that it is from."""

    dataset: str
    item: Item

    @property
    def original(self) -> tuple[str, str]:
        """The set and the name of the original: the name alone may occur in two sets."""
        return self.dataset, self.item.image


@dataclass(frozen=True)
class AnnotationStudy:
    """All cards of a study. They are the same for the same sets, splits and settings."""

    settings: StudySettings
    sets: Mapping[str, ItemSet]
    """The item sets by their names."""
    reconstructions: tuple[Card, ...]
    gold: tuple[Card, ...]
    """Clean originals, of splits that are not judged where there are any, and noise."""
    distances: Mapping[str, float] = field(default_factory=dict)
    """The distance of each reconstruction from its original, by the item's name; empty where meetings have no limit."""

    @classmethod
    def read(
        cls,
        directories: Sequence[Path],
        settings: StudySettings,
        splits: Sequence[str] = SPLITS,
        scorer: Scorer | None = None,
    ) -> Self:
        """The study of the finished reconstruction sets in ``directories``.

        Where meetings have a limit, ``scorer`` says how far each reconstruction is from its original.

        Raises:
            InvalidDataset: no finished set there, nothing in these splits, or an original that is needed is missing.
            InvalidOption: two sets of one name, an unknown split, or a limit of meetings without a scorer.
        """
        if not set(splits) <= set(SPLITS):
            raise InvalidOption(f"expected splits of {', '.join(SPLITS)}, got {', '.join(splits)}")
        if settings.meetings is not None and scorer is None:
            raise InvalidOption("expected a scorer, which orders the meetings of an original, got none")
        sets = [ItemSet.read(directory, splits) for directory in directories]
        names = [item_set.name for item_set in sets]
        if len(set(names)) < len(names):
            raise InvalidOption(f"expected sets of different names, got {', '.join(names)}")
        distances: dict[str, float] = {}
        if settings.meetings is not None and scorer is not None:
            for item_set in sets:
                distances |= item_distances(item_set, item_set.items, scorer)
        study = cls(
            settings,
            dict(zip(names, sets, strict=True)),
            tuple(Card(item_set.name, item) for item_set in sets for item in item_set.items),
            tuple(Card(item_set.name, item) for item_set in sets for item in _gold(item_set, settings, splits)),
            distances,
        )
        study.check_images()
        return study

    def check_images(self) -> None:
        """Read every image that can be shown: a missing one stops the start of the page, not an annotator.

        Raises:
            InvalidDataset: an original is missing that is shown, or that its reconstruction is made from.
        """
        for card in self.cards:
            if card.item.shown is Shown.RECONSTRUCTION or (
                card.item.shown is Shown.CLEAN and self.settings.shows_originals
            ):
                self.png(card)

    @property
    def cards(self) -> Iterable[Card]:
        """The cards of reconstructions and of gold items."""
        return (*self.reconstructions, *self.gold)

    @property
    def fingerprint(self) -> str:
        """A hash of every card's name and of the files of every set, which hold or name the pixels."""
        total = hashlib.sha256()
        for identifier in sorted(card.item.identifier for card in self.cards):
            total.update(identifier.encode())
        for name in sorted(self.sets):
            for shard in self.sets[name].reconstructions.description.shards:
                total.update(shard.sha256.encode())
        return total.hexdigest()

    def png(self, card: Card) -> bytes:
        """The image of a card as a PNG file.

        Raises:
            InvalidDataset: an original is missing that the image is made from.
        """
        return self.sets[card.dataset].png(card.item)

    def classes(self, card: Card) -> tuple[str, ...]:
        """The classes that the image of a card may be answered with."""
        return self.sets[card.dataset].classes

    def shuffled(self, annotator: str, cards: Iterable[Card]) -> list[Card]:
        """The cards in an order that only this annotator has."""
        return sorted(cards, key=lambda card: self.place(annotator, card.item.identifier))

    def place(self, annotator: str, name: str) -> float:
        """A number in [0, 1) that looks random. It follows from the seed, the annotator and ``name``."""
        return stable_hash(f"{self.settings.seed}/{annotator}/{name}") / 2**63

    def order(self, annotator: str) -> list[str]:
        """The sets in the order of this annotator: one after the other, so that the classes seldom change."""
        return sorted(self.sets, key=lambda name: self.place(annotator, name))

    def practice(self, annotator: str) -> list[Card]:
        """Clean originals and noise by halves, of the annotator's first set. A clean original comes first."""
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


def _gold(item_set: ItemSet, settings: StudySettings, splits: Sequence[str]) -> tuple[Item, ...]:
    """All originals that could be shown clean, and noise enough for one annotator, whatever the shares are.

    An annotator who has seen an original is shown none of its reconstructions: originals of other splits cost nothing.
    """
    rows = item_set.reconstructions.rows
    others = [split for split in SPLITS if split not in splits]
    chosen = others if {row.split for row in rows} & set(others) else splits
    clean = len({row.image for row in rows if row.split in chosen})
    return item_set.gold(clean, _NOISE + settings.practice // 2, settings.seed, chosen)
