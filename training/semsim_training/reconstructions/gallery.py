"""The contact sheet of a set: originals and their reconstructions, with leakage and PSNR under each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import mean, median
from typing import TypeVar

from PIL import Image, ImageDraw, ImageFont

from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage
from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import ScoredRow, by_setting, score_rows, statuses
from semsim_training.reconstructions.verdict import verdict_of

_GAP, _TITLE, _CAPTION = 6, 20, 18
_LEAST_TILE, _LARGEST_TILE = 80, 128
"""The sides of tiles: images are enlarged by whole numbers, and the largest are reduced."""
_COLUMNS = 12
_GROUND, _INK, _PALE, _WARNING = (40, 40, 40), (240, 240, 240), (160, 160, 160), (255, 120, 100)
"""A recognizable reconstruction has its caption in the last of these colours."""
_NOTHING = 1e9
"""The closeness, negated, of a row without a score."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of tiles: originals, or one setting's reconstructions."""

    title: str
    tiles: tuple[RGBImage | None, ...]
    """``None`` where there is no picture."""
    captions: tuple[tuple[str, bool], ...] = ()
    """A text under each tile, and True where it warns; nothing under originals."""

    def height(self, tile: int) -> int:
        return _TITLE * bool(self.title) + tile * bool(self.tiles) + _CAPTION * bool(self.captions) + _GAP


def draw_gallery(
    directory: Path,
    scorer: Scorer,
    *,
    columns: int = _COLUMNS,
    settings: str = "",
    align: bool = False,
    progress: Progress = silent,
) -> Image.Image:
    """Draw ``columns`` images of each setting whose name contains ``settings``, evenly spread by leakage.

    Each setting has a row of originals above its reconstructions; with ``align`` the settings of a data set share one
    row of originals, which are those that most of the settings attacked. The sheet shows originals: they are private,
    or belong to whoever published the data set.

    Raises:
        InvalidDataset: no finished set, no such setting, or the originals are not there.
        HashMismatch: other originals are there.
    """
    drawn = ReconstructionSet.read(directory)
    rows = [row for row in drawn.rows if settings in row.setting]
    if not rows:
        raise InvalidDataset(f"expected a setting whose name contains {settings!r} in {directory}, got none")
    for row in rows:
        drawn.original(row)  # refuses what could not be drawn
    settings_of = by_setting(score_rows(drawn, rows, scorer, progress=progress))
    lines = _aligned(drawn, settings_of, columns) if align else _apart(drawn, settings_of, columns)
    threshold = scorer.manifest.threshold
    told = "PSNR" if threshold is None else f"leakage and PSNR; in red, recognizable: leakage from {threshold} on"
    return _sheet([*lines, _Line(f"Under each reconstruction, by {scorer.manifest.name}: {told}", ())])


def _apart(drawn: ReconstructionSet, settings: dict[str, list[ScoredRow]], columns: int) -> list[_Line]:
    """Two lines for each setting: its originals and its reconstructions."""
    lines = []
    for setting, rows in settings.items():
        chosen = _spread(sorted(rows, key=_closeness, reverse=True), columns)
        lines.append(_Line(_title(setting, rows), tuple(drawn.original(one.row) for one in chosen)))
        lines.append(_reconstructions(drawn, "", chosen))
    return lines


def _aligned(drawn: ReconstructionSet, settings: dict[str, list[ScoredRow]], columns: int) -> list[_Line]:
    """For each data set a line of originals, and a line of their reconstructions for each setting."""
    by_dataset: dict[str, dict[str, list[ScoredRow]]] = defaultdict(dict)
    for setting, rows in settings.items():
        by_dataset[rows[0].row.dataset][setting] = rows
    lines = []
    for dataset, of_dataset in by_dataset.items():
        rows = [one for rows in of_dataset.values() for one in rows]
        of_original: dict[str, list[ScoredRow]] = defaultdict(list)
        for one in rows:
            of_original[one.row.image].append(one)
        most = max(map(len, of_original.values()))
        shared = [made for made in of_original.values() if len(made) == most]
        ranked = sorted(shared, key=lambda made: mean(_closeness(one)[0] for one in made), reverse=True)
        images = [made[0].row.image for made in _spread(ranked, columns)]
        originals = tuple(drawn.original(of_original[image][0].row) for image in images)
        lines.append(_Line(f"originals of {dataset}", originals))
        for setting, of_setting in of_dataset.items():
            by_image = {one.row.image: one for one in of_setting}
            chosen = [by_image.get(image) for image in images]
            lines.append(_reconstructions(drawn, _title(setting, of_setting), chosen))
    return lines


def _reconstructions(drawn: ReconstructionSet, title: str, chosen: Sequence[ScoredRow | None]) -> _Line:
    tiles = tuple(drawn.reconstruction(one.row) if one is not None and one.row.done else None for one in chosen)
    return _Line(title, tiles, tuple(_caption(one) for one in chosen))


def _caption(one: ScoredRow | None) -> tuple[str, bool]:
    if one is None:
        return "not attacked", False
    if one.score is None:
        return one.row.status, False
    leakage = "could not tell  " if one.score.uninformative else ""
    if one.score.leakage is not None:
        leakage = f"{one.score.leakage:.2f}  "
    return f"{leakage}{_decibels(one.row.psnr)}", bool(one.score.recognizable)


def _decibels(psnr: float) -> str:
    return f"{psnr:.1f} dB" if isfinite(psnr) else "exact"


def _title(setting: str, rows: Sequence[ScoredRow]) -> str:
    """A setting's name and figures, over all its rows."""
    leakages = [one.score.leakage for one in rows if one.score is not None and one.score.leakage is not None]
    decibels = [one.row.psnr for one in rows if one.row.done]
    parts = [setting, f"{len(rows)} images: {statuses(rows)}"]
    parts += [f"mean leakage {mean(leakages):.2f}"] if leakages else []
    parts += [f"median {_decibels(median(decibels))}"] if decibels else []
    return "   ".join([*parts, verdict_of(rows)])


def _closeness(one: ScoredRow) -> tuple[float, float]:
    """A key that is larger for what shows more: by leakage, or where there is none by distance; diverged ones last."""
    if one.score is None:
        return (-_NOTHING, 0.0)
    return (-one.score.distance if one.score.leakage is None else one.score.leakage, one.row.psnr)


def _spread(ranked: Sequence[_Item], count: int) -> list[_Item]:
    """``count`` items from the first to the last."""
    if len(ranked) <= count:
        return list(ranked)
    return [ranked[round(place * (len(ranked) - 1) / max(count - 1, 1))] for place in range(count)]


def _sheet(lines: Sequence[_Line]) -> Image.Image:
    font, small = ImageFont.load_default(13), ImageFont.load_default(12)
    side = max(tile.shape[0] for line in lines for tile in line.tiles if tile is not None)
    tile = min(side * -(-_LEAST_TILE // side), _LARGEST_TILE)
    titles = (int(2 * _GAP + font.getlength(line.title)) for line in lines)
    width = max(_GAP + max(len(line.tiles) for line in lines) * (tile + _GAP), *titles)
    sheet = Image.new("RGB", (width, _GAP + sum(line.height(tile) for line in lines)), _GROUND)
    pen = ImageDraw.Draw(sheet)
    top = _GAP
    for line in lines:
        pen.text((_GAP, top), line.title, _INK, font)
        above = top + _TITLE * bool(line.title)
        for column, picture in enumerate(line.tiles):
            left = _GAP + column * (tile + _GAP)
            if picture is None:
                pen.rectangle((left, above, left + tile - 1, above + tile - 1), outline=_PALE)
            else:
                resampling = Image.Resampling.BOX if picture.shape[0] > tile else Image.Resampling.NEAREST
                sheet.paste(Image.fromarray(picture).resize((tile, tile), resampling), (left, above))
            if line.captions:
                text, warns = line.captions[column]
                pen.text((left + tile / 2, above + tile + 1), text, _WARNING if warns else _INK, small, anchor="ma")
        top += line.height(tile)
    return sheet
