"""Selects the card that an annotator is shown next: a function of the study and of what has happened."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from semsim_training.annotation.dealing import original_of
from semsim_training.annotation.items import Item, Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, Card


class PastShowing(NamedTuple):
    """One item that an annotator was given, whatever came of it."""

    item: str
    repeat: int
    """1 where the item was given for the second time."""
    judged: bool
    """True where a judgement of the item stands."""


@dataclass(frozen=True, slots=True)
class ChosenCard:
    """The card to show next."""

    card: Card
    repeat: int = 0
    """1 where the item is shown for the second time."""


class CardSelection:
    """Chooses the cards of a study that annotators are shown."""

    def __init__(self, study: AnnotationStudy) -> None:
        self._study = study
        self.by_item: Mapping[str, Card] = {card.item.identifier: card for card in study.cards}
        """Each card by its item's name."""

    def candidates(self, annotator: str, past: Sequence[PastShowing], occupied: Mapping[str, int]) -> list[Card]:
        """The reconstructions that the annotator could still be given.

        ``past`` holds the items the annotator was given, ``occupied`` how many judgements and valid leases an item has.
        An item never comes back to the same annotator, and no reconstruction comes after its clean original. Where
        meetings have a limit, an original comes no more often than that, and each time in a nearer reconstruction.
        """
        given, revealed = {showing.item for showing in past}, self.revealed(annotator, past)
        most, meetings, distances = (
            self._study.settings.annotators,
            self._study.settings.meetings,
            self._study.distances,
        )
        met: dict[str, list[float]] = defaultdict(list)
        if meetings is not None:
            for item in given:
                if self.by_item[item].item.shown is Shown.RECONSTRUCTION:
                    met[original_of(self.by_item[item].item)].append(distances[item])

        def may_meet(item: Item) -> bool:
            before = met[original_of(item)]
            return meetings is None or (
                len(before) < meetings and all(distances[item.identifier] <= far for far in before)
            )

        return [
            card
            for card in self._study.reconstructions
            if card.item.identifier not in given
            and occupied.get(card.item.identifier, 0) < most
            and card.original not in revealed
            and may_meet(card.item)
        ]

    def next_card(self, annotator: str, past: Sequence[PastShowing], occupied: Mapping[str, int]) -> ChosenCard | None:
        """The card to show, or ``None`` where no reconstruction is left for this annotator now.

        ``past`` is in the order of places. The reconstructions with the fewest judgements and leases come first; among
        those, the ones whose original the annotator has met least often; then an order that only this annotator has.
        Gold items and repeats take the places that the seed gives them.
        """
        open_cards = self.candidates(annotator, past, occupied)
        if not open_cards:
            return None
        sets = self._study.order(annotator)
        met = Counter(self.by_item[showing.item].original for showing in past)
        nearest = min(
            open_cards,
            key=lambda card: (
                sets.index(card.dataset),
                occupied.get(card.item.identifier, 0),
                met[card.original],
                self._study.place(annotator, card.item.identifier),
            ),
        )
        return self._interspersed(annotator, past, open_cards, nearest.dataset) or ChosenCard(nearest)

    def revealed(self, annotator: str, past: Iterable[PastShowing]) -> set[tuple[str, str]]:
        """The originals that the annotator has seen clean, in practice or afterwards."""
        seen = [self.by_item[showing.item] for showing in past]
        return {card.original for card in (*seen, *self._study.practice(annotator)) if card.item.shown is Shown.CLEAN}

    def _interspersed(
        self, annotator: str, past: Sequence[PastShowing], open_cards: Sequence[Card], dataset: str
    ) -> ChosenCard | None:
        """The gold item or repeat that takes the next place, or ``None`` where a reconstruction has it."""
        settings = self._study.settings
        drawn = self._study.place(annotator, f"place/{len(past)}")
        if drawn < settings.clean:
            left = Counter(card.original for card in open_cards)
            clean = self._gold(annotator, past, dataset, Shown.CLEAN)
            # An original costs the reconstructions of it that the annotator then cannot judge.
            return ChosenCard(min(clean, key=lambda card: left[card.original])) if clean else None
        if drawn < settings.clean + settings.noise:
            noise = self._gold(annotator, past, dataset, Shown.NOISE)
            return ChosenCard(noise[0]) if noise else None
        if drawn < settings.clean + settings.noise + settings.repeats:
            return self._repeat(annotator, past, dataset)
        return None

    def _gold(self, annotator: str, past: Sequence[PastShowing], dataset: str, shown: Shown) -> list[Card]:
        given = {showing.item for showing in past} | {card.item.identifier for card in self._study.practice(annotator)}
        fresh = (
            card
            for card in self._study.gold
            if card.dataset == dataset and card.item.shown is shown and card.item.identifier not in given
        )
        return self._study.shuffled(annotator, fresh)

    def _repeat(self, annotator: str, past: Sequence[PastShowing], dataset: str) -> ChosenCard | None:
        """The reconstruction judged longest ago that can be shown once more."""
        repeated = {showing.item for showing in past if showing.repeat}
        revealed = self.revealed(annotator, past)
        for showing in past[: max(0, len(past) - self._study.settings.repeat_distance)]:
            card = self.by_item[showing.item]
            if (
                showing.judged
                and showing.item not in repeated
                and card.dataset == dataset
                and card.item.shown is Shown.RECONSTRUCTION
                and card.original not in revealed
            ):
                return ChosenCard(card, 1)
        return None
