"""Contact sheets of blind items for one annotator, with instructions and a form for answers; the key is kept apart."""

import hashlib
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from semsim.exceptions import InvalidOption
from semsim_training.annotation.items import ItemSet
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.annotation.keys import SheetKey, ShownItem, pseudonym, write_key
from semsim_training.annotation.order import Showing, chosen, showing_order
from semsim_training.annotation.sheets.sheet_image import UNRECOGNIZABLE_INDEX, SheetLayout, draw_contact_sheet
from semsim_training.reconstructions.schema import SPLITS

PROTOCOL = "sheets/1"
ANSWERS = "answers.json"
CODE = "sheets"
"""The entry of the answers that names the sheets they belong to."""

_LAYOUT = SheetLayout()


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """The items to show, and the annotator to show them to."""

    annotator: str
    """A pseudonym."""
    seed: int
    """The seed of the choice of items and of their order."""
    kind: AnnotatorKind | None = None
    """The kind of annotator; ``None`` where the import says it."""
    splits: Collection[str] = SPLITS
    limit: int | None = None
    """The number of reconstructions, the same ones for every annotator; ``None`` for all."""
    clean: int = 10
    """The number of clean originals."""
    noise: int = 5
    """The number of images of noise."""
    repeats: int = 20
    """The number of reconstructions that are shown a second time."""
    layout: SheetLayout = _LAYOUT
    others: tuple[str, ...] = ()
    """Classes that no original has, offered beside those of the originals, so that fewer can be guessed."""


def make_sheets(dataset: Path, out: Path, key: Path, request: SheetRequest) -> SheetKey:
    """Write ``sheet-*.png``, ``instructions.md`` and a form for answers into ``out``, and the key to ``key``.

    The same request always makes the same bytes. A repeat is at least a whole sheet away from the first showing.

    Raises:
        InvalidDataset: no finished set, too few originals for the gold items, or an original that is needed is missing.
        InvalidOption: files in ``out`` already; a key in ``out``, where the annotator would find it, or one that is
            there already; no room for the repeats; an annotator's name that cannot name a file.
    """
    pseudonym(request.annotator)
    refuse_used(out, key)
    item_set = ItemSet.read(dataset, request.splits)
    showings = showing_order(
        chosen(item_set.items, request.limit, request.seed),
        item_set.gold(request.clean, request.noise, request.seed, request.splits),
        annotator=request.annotator,
        seed=request.seed,
        repeats=request.repeats,
        distance=request.layout.tiles,
    )
    return write_sheets(out, key, request, [ShownFrom(item_set, showing) for showing in showings], PROTOCOL)


@dataclass(frozen=True, slots=True)
class ShownFrom:
    """One showing, and the item set that has its image."""

    item_set: ItemSet
    showing: Showing

    @property
    def tile(self) -> ShownItem:
        """The words of the key about the showing."""
        item = self.showing.item
        return ShownItem(
            dataset=self.item_set.name,
            item=item.identifier,
            shown=item.shown,
            truth=item.truth,
            repeat=self.showing.repeat,
        )


def write_sheets(out: Path, key: Path, request: SheetRequest, shown: Sequence[ShownFrom], protocol: str) -> SheetKey:
    """Draw what is shown, in this order, and write everything that :func:`make_sheets` says.

    Raises:
        InvalidDataset: an original that is needed is missing.
        InvalidOption: there is a key already.
    """
    images = [one.item_set.png(one.showing.item) for one in shown]
    tiles, classes = [one.tile for one in shown], tuple(sorted({*shown[0].item_set.classes, *request.others}))
    protocol = f"{protocol}-smooth" if request.layout.smooth else protocol
    named = "\n".join([protocol, request.annotator, *(tile.item for tile in tiles)])
    code = hashlib.sha256(named.encode()).hexdigest()[:8]
    out.mkdir(parents=True, exist_ok=True)
    hashes = _write_sheets(out, code, classes, images, request.layout)
    form = {CODE: code} | {str(number): None for number in range(1, len(tiles) + 1)}
    (out / ANSWERS).write_text(json.dumps(form, indent=2) + "\n")
    (out / "instructions.md").write_text(_instructions(classes, len(tiles), len(hashes), code))
    made = SheetKey(
        protocol=protocol,
        annotator=request.annotator,
        kind=request.kind,
        seed=request.seed,
        classes=classes,
        code=code,
        sheets=hashes,
        tiles=dict(enumerate(tiles, 1)),
    )
    write_key(made, key)
    return made


def refuse_used(out: Path, key: Path) -> None:
    """Refuse a directory with files in it, and a key that is there already or would be found in it.

    Raises:
        InvalidOption: one of them is so.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidOption(f"expected an empty or a new directory for the sheets, got {out}")
    if key.resolve().is_relative_to(out.resolve()):
        raise InvalidOption(f"expected the key outside {out}, which is handed to the annotator, got {key}")
    if key.exists():
        raise InvalidOption(f"expected no file yet at {key}, where the key goes")


def _write_sheets(
    out: Path, code: str, classes: Sequence[str], images: Sequence[bytes], layout: SheetLayout
) -> dict[str, str]:
    """Write the sheets; the sha256 of each by its file name."""
    hashes = {}
    starts = range(0, len(images), layout.tiles)
    for page, start in enumerate(starts, 1):
        tiles = dict(enumerate(images[start : start + layout.tiles], start + 1))
        title = f"Sheet {page} of {len(starts)} ({code}): tiles {min(tiles)} to {max(tiles)}. What does each show?"
        sink = io.BytesIO()
        draw_contact_sheet(title, classes, tiles, layout).save(sink, "PNG")
        path = out / f"sheet-{page:0{len(str(len(starts)))}d}.png"
        path.write_bytes(sink.getvalue())
        hashes[path.name] = hashlib.sha256(sink.getvalue()).hexdigest()
    return hashes


def _instructions(classes: Sequence[str], tiles: int, sheets: int, code: str) -> str:
    choices = "\n".join(f"* `{index}` = {name}" for index, name in enumerate(classes))
    return f"""# What do these images show?

There are {tiles} small images, numbered 1 to {tiles}, on {sheets} sheets. The number is on the tab above its image.

For each image answer with the class that you recognise, by its index or its name:

{choices}
* `{UNRECOGNIZABLE_INDEX}` = unrecognizable: you cannot tell, or it is none of these

Many images may be unrecognizable, and some are as plain as the sheet. Do not guess: choose a class only if you would
say that the image shows it.
Judge each image for itself, go through the sheets in their order, and do not go back.

Write the answers into `{ANSWERS}`: a JSON object of image number to answer, every image once. The entry `{CODE}` stays
as it is.

```json
{{
  "{CODE}": "{code}",
  "1": {len(classes) - 1},
  "2": {UNRECOGNIZABLE_INDEX},
  "3": {json.dumps(classes[0])}
}}
```
"""
