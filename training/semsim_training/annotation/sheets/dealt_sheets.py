"""Contact sheets of whole sets for many annotators, of whom none meets an original often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semsim.exceptions import InvalidOption
from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim_training.annotation.dealing import deal, far_to_near, hands_needed, item_distances
from semsim_training.annotation.items import Item, ItemSet
from semsim_training.annotation.keys import SheetKey, pseudonym
from semsim_training.annotation.order import chosen
from semsim_training.annotation.sheets.contact_sheets import SheetRequest, ShownFrom, refuse_used, write_sheets
from semsim_training.seeds import stable_hash

PROTOCOL = "sheets/1-dealt"


@dataclass(frozen=True, slots=True)
class DealRequest:
    """The annotators of each reconstruction, and how often one of them may meet an original."""

    sheets: SheetRequest
    """The sheets of each annotator. Its annotator is the beginning of all pseudonyms."""
    annotators: int = 3
    """The number of annotators who judge a reconstruction."""
    meetings: int = 4
    """The largest number of reconstructions of one original that an annotator is shown, repeats apart."""
    largest: int = 28
    """The largest number of sheets of an annotator."""


def deal_sheets(
    datasets: Sequence[Path], out: Path, keys: Path, request: DealRequest, scorer: Scorer, progress: Progress = silent
) -> list[SheetKey]:
    """Write a directory in ``out`` for each annotator, as :func:`make_sheets` does, and their keys in ``keys``.

    The reconstructions of all sets are dealt together, since sets share originals. The annotator ``NAME-2-03`` is the
    third of those who judge every reconstruction for the second time. Each sees of each original the reconstruction
    first that is farthest from it by ``scorer``.

    Raises:
        InvalidDataset: no finished set, too few originals for the gold items, or an original is missing.
        InvalidOption: sets of other classes than the first's; no room for the repeats, or for an original's showings a
            sheet apart; a name that cannot name a file; files in ``out`` or ``keys`` already.
    """
    pseudonym(request.sheets.annotator)
    refuse_used(out, keys)
    sheets, tiles = request.sheets, request.sheets.layout.tiles
    item_sets = [ItemSet.read(dataset, sheets.splits) for dataset in datasets]
    other = next((one for one in item_sets if one.classes != item_sets[0].classes), None)
    if other is not None:
        raise InvalidOption(
            f"expected sets of the same classes, which an annotator chooses from, got {item_sets[0].name} of "
            f"{len(item_sets[0].classes)} and {other.name} of {len(other.classes)}"
        )
    of_item = {item.identifier: one for one in item_sets for item in one.items}
    items = chosen([item for one in item_sets for item in one.items], sheets.limit, sheets.seed)
    distances: dict[str, float] = {}
    for one in item_sets:
        distances |= item_distances(one, [item for item in items if of_item[item.identifier] is one], scorer, progress)
    room = request.largest * tiles - sheets.clean - sheets.noise - sheets.repeats
    if room < 1:
        raise InvalidOption(f"expected room for reconstructions beside gold and repeats on {request.largest} sheets")
    hands = hands_needed(items, request.meetings, room)
    made = []
    for turn in range(1, request.annotators + 1):
        for number, hand in enumerate(deal(items, hands, stable_hash(f"{sheets.seed}/{turn}")), 1):
            name = f"{sheets.annotator}-{turn}-{number:02d}"
            seed = stable_hash(f"{sheets.seed}/{name}")
            gold = {item.identifier: (one, item) for one in item_sets for item in _gold(one, item_sets, sheets, seed)}
            showings = far_to_near(
                hand,
                [item for _, item in gold.values()],
                distances,
                seed=seed,
                repeats=sheets.repeats,
                apart=tiles,
            )
            source = of_item | {identifier: one for identifier, (one, _) in gold.items()}
            shown = [ShownFrom(source[showing.item.identifier], showing) for showing in showings]
            annotators_own = replace(sheets, annotator=name)
            made.append(write_sheets(out / name, keys / f"{name}.key.json", annotators_own, shown, PROTOCOL))
            progress("annotators", len(made), hands * request.annotators)
    return made


def _gold(item_set: ItemSet, item_sets: Sequence[ItemSet], request: SheetRequest, seed: int) -> tuple[Item, ...]:
    """The set's share of an annotator's gold items."""
    place, sets = item_sets.index(item_set), len(item_sets)
    clean, noise = (len(range(place, count, sets)) for count in (request.clean, request.noise))
    return item_set.gold(clean, noise, seed, request.splits)
