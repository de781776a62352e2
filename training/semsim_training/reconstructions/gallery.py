"""The contact sheet of a set: for each setting a row of originals above their reconstructions."""

import io
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.dataset import read_set

_TILE, _GAP, _LABEL = 64, 4, 18
_COLUMNS = 12
_GROUND, _INK = (128, 128, 128), (255, 255, 255)


def draw_gallery(directory: Path, *, columns: int = _COLUMNS, settings: str = "") -> Image.Image:
    """Draw ``columns`` images of each setting whose name contains ``settings``, evenly spread by PSNR.

    Raises:
        InvalidDataset: no finished set, or no such setting.
    """
    by_setting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_set(directory).to_pylist():
        if settings in row["setting"]:
            by_setting[row["setting"]].append(row)
    if not by_setting:
        raise InvalidDataset(f"expected a setting whose name contains {settings!r} in {directory}, got none")
    height = _LABEL + 2 * _TILE + 3 * _GAP
    sheet = Image.new("RGB", (_GAP + columns * (_TILE + _GAP), height * len(by_setting)), _GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (setting, rows) in enumerate(by_setting.items()):
        top = number * height
        middle = median(row["psnr"] for row in rows)
        pen.text((_GAP, top + 2), f"{setting}   {len(rows)} images, median {middle:.1f} dB", _INK, font)
        for column, row in enumerate(_spread(rows, columns)):
            left = _GAP + column * (_TILE + _GAP)
            for line, kind in enumerate(("original", "reconstruction")):
                tile = Image.open(io.BytesIO(row[kind])).resize((_TILE, _TILE), Image.Resampling.NEAREST)
                sheet.paste(tile, (left, top + _LABEL + line * (_TILE + _GAP)))
            if row["status"] != "done":
                pen.text((left + 2, top + _LABEL + _TILE + _GAP), row["status"], (255, 0, 0), font)
    return sheet


def _spread(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """``count`` rows from the best PSNR to the worst."""
    ranked = sorted(rows, key=lambda row: -row["psnr"])
    if len(ranked) <= count:
        return ranked
    return [ranked[round(place * (len(ranked) - 1) / max(count - 1, 1))] for place in range(count)]
