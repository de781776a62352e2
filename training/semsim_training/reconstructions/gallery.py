"""The contact sheet of a set: for each setting a row of originals above their reconstructions."""

from collections import defaultdict
from pathlib import Path
from statistics import median

from PIL import Image, ImageDraw, ImageFont

from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import ReconstructionRow

_TILE, _GAP, _LABEL = 64, 4, 18
_COLUMNS = 12
_GROUND, _INK = (128, 128, 128), (255, 255, 255)


def draw_gallery(directory: Path, *, columns: int = _COLUMNS, settings: str = "") -> Image.Image:
    """Draw ``columns`` images of each setting whose name contains ``settings``, evenly spread by PSNR.

    The sheet shows originals: they are private, or belong to whoever published the data set.

    Raises:
        InvalidDataset: no finished set, no such setting, or the originals are not there.
        HashMismatch: other originals are there.
    """
    drawn = ReconstructionSet.read(directory)
    by_setting: dict[str, list[ReconstructionRow]] = defaultdict(list)
    for row in drawn.rows:
        if settings in row.setting:
            by_setting[row.setting].append(row)
    if not by_setting:
        raise InvalidDataset(f"expected a setting whose name contains {settings!r} in {directory}, got none")
    height = _LABEL + 2 * _TILE + 3 * _GAP
    sheet = Image.new("RGB", (_GAP + columns * (_TILE + _GAP), height * len(by_setting)), _GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (setting, rows) in enumerate(by_setting.items()):
        top = number * height
        middle = median(row.psnr for row in rows)
        pen.text((_GAP, top + 2), f"{setting}   {len(rows)} images, median {middle:.1f} dB", _INK, font)
        for column, row in enumerate(_spread(rows, columns)):
            left = _GAP + column * (_TILE + _GAP)
            for line, picture in enumerate((drawn.original(row), drawn.reconstruction(row))):
                tile = Image.fromarray(picture).resize((_TILE, _TILE), Image.Resampling.NEAREST)
                sheet.paste(tile, (left, top + _LABEL + line * (_TILE + _GAP)))
            if not row.done:
                pen.text((left + 2, top + _LABEL + _TILE + _GAP), row.status, (255, 0, 0), font)
    return sheet


def _spread(rows: list[ReconstructionRow], count: int) -> list[ReconstructionRow]:
    """``count`` rows from the best PSNR to the worst."""
    ranked = sorted(rows, key=lambda row: -row.psnr)
    if len(ranked) <= count:
        return ranked
    return [ranked[round(place * (len(ranked) - 1) / max(count - 1, 1))] for place in range(count)]
