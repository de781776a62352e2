"""Draws a contact sheet: numbered tiles on neutral grey, under the classes to choose from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from semsim.exceptions import InvalidOption
from semsim_training.annotation.enlargement import enlarged

UNRECOGNIZABLE_INDEX = -1
"""The answer for an image that shows none of the classes as far as the annotator can tell."""

_GAP, _MARGIN = 24, 28
_TAB_HEIGHT, _LINE = 26, 28
_GROUND, _INK, _PAPER = (128, 128, 128), (0, 0, 0), (255, 255, 255)
_NUMBER_SIZE, _TEXT_SIZE = 21, 19


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """The size of the tiles of a sheet, and their number.

    Raises:
        InvalidOption: tiles too small to be judged, or none.
    """

    tile: int = 128
    """Side of a tile, pixels."""
    columns: int = 6
    """Tiles side by side."""
    rows: int = 5
    """Rows of tiles on a full sheet."""
    smooth: bool = False
    """True to enlarge bicubically instead of by repeating pixels."""

    def __post_init__(self) -> None:
        if self.tile < 32 or self.columns < 1 or self.rows < 1:
            raise InvalidOption(
                f"expected tiles of at least 32 pixels in at least 1 column and 1 row, "
                f"got {self.tile} pixels, {self.columns} columns, {self.rows} rows"
            )

    @property
    def tiles(self) -> int:
        """The number of tiles of a full sheet."""
        return self.columns * self.rows


def draw_contact_sheet(
    title: str, classes: Sequence[str], tiles: Mapping[int, bytes], layout: SheetLayout
) -> Image.Image:
    """A sheet of tiles (number to PNG), RGB, as high as they need."""
    pitch = layout.tile + _GAP
    choices = [f"{index} = {name}" for index, name in enumerate(classes)] + [f"{UNRECOGNIZABLE_INDEX} = unrecognizable"]
    font = ImageFont.load_default(_TEXT_SIZE)
    within = max(layout.columns * pitch - _GAP, *(int(font.getlength(text)) + 1 for text in (title, *choices)))
    columns = max(1, within // int(max(map(font.getlength, choices)) + _GAP))
    top = _MARGIN + _LINE * (1 - -len(choices) // columns) + _GAP
    lines = -(-len(tiles) // layout.columns)
    sheet = Image.new("RGB", (within + 2 * _MARGIN, top + lines * (pitch + _TAB_HEIGHT) - _GAP + _MARGIN), _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, _INK, font, anchor="lm")
    spacing = within // columns
    for place, choice in enumerate(choices):
        line, column = divmod(place, columns)
        pen.text((_MARGIN + column * spacing, _MARGIN + (line + 1) * _LINE), choice, _INK, font, anchor="lm")
    for place, (number, png) in enumerate(tiles.items()):
        line, column = divmod(place, layout.columns)
        left, above = _MARGIN + column * pitch, top + line * (pitch + _TAB_HEIGHT)
        _number(pen, left, above, number)
        sheet.paste(enlarged(png, layout.tile, smooth=layout.smooth), (left, above + _TAB_HEIGHT))
    return sheet


def _number(pen: ImageDraw.ImageDraw, left: int, above: int, number: int) -> None:
    """Draw the number on a tab that sits on its tile."""
    font = ImageFont.load_default(_NUMBER_SIZE)
    width = int(font.getlength(str(number))) + 16
    pen.rectangle((left, above, left + width, above + _TAB_HEIGHT - 1), _INK)
    pen.text((left + 8, above + _TAB_HEIGHT // 2), str(number), _PAPER, font, anchor="lm")
