"""The gallery of a client: the reconstructions of each audited round in one picture, which stays where it is."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin, UnidentifiedImageError

from semsim.exceptions import InvalidArray, InvalidDataset
from semsim_federation.leakage_report import ImageLeakage, LeakageReport, LeakageVerdict

_MARK = "semsim audit gallery"
"""The PNG file's title, by which a gallery is told from any other picture."""
_TILE, _GAP, _LEFT, _CAPTION, _HEADER = 96, 8, 170, 18, 44
"""The sides in pixels of tiles, of the gaps between them, and of texts."""
_COLUMNS = 12
_GROUND, _INK, _PALE, _WARNING = (40, 40, 40), (240, 240, 240), (160, 160, 160), (255, 120, 100)


def append_gallery(
    path: Path | str,
    report: LeakageReport,
    sent: bool | None = None,
    *,
    originals: Sequence[Any] | NDArray[np.uint8] | None = None,
) -> None:
    """Append a round's reconstructions to a PNG picture, those of the largest leakage first and at most 12.

    The picture may show the client's images. It belongs to whoever may see them, and its file is readable by its owner
    alone. A reader sees the file before or after it, and never a part. One process writes.

    Args:
        path: the picture, which is made where there is none.
        report: the audit of the round.
        sent: whether the update was sent; None where nothing was to be sent, such as by a probe.
        originals: the client's images, uint8 ``(N, H, W, C)`` in the order of the audit, to be drawn above their
            reconstructions; None for none of them.

    Raises:
        InvalidDataset: the file is no such gallery.
        InvalidArray: there are not as many originals as audited images.
    """
    if originals is not None and len(originals) != report.batch:
        raise InvalidArray(f"expected the {report.batch} originals of the audit, got {len(originals)}")
    path = Path(path)
    before = _read(path) if path.exists() else _header(report)
    row = _row(report, sent, originals)
    sheet = Image.new("RGB", (max(before.width, row.width), before.height + row.height), _GROUND)
    sheet.paste(before, (0, 0))
    sheet.paste(row, (0, before.height))
    marked = PngImagePlugin.PngInfo()
    marked.add_text("Title", _MARK)
    handle, scratch = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            sheet.save(file, "PNG", pnginfo=marked)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
            if image.info.get("Title") != _MARK:
                raise InvalidDataset(f"expected a gallery of audits at {path}, got another picture")
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidDataset(f"expected a gallery of audits, PNG, at {path}, got {type(error).__name__}") from error


def _header(report: LeakageReport) -> Image.Image:
    header = Image.new("RGB", (_LEFT + 3 * (_TILE + _GAP), _HEADER), _GROUND)
    text = f"Reconstructions by round, with the leakage by {report.model}.\nIn red: the image leaked."
    ImageDraw.Draw(header).multiline_text((_GAP, _GAP), text, _INK, ImageFont.load_default(12))
    return header


def _row(report: LeakageReport, sent: bool | None, originals: Sequence[Any] | NDArray[np.uint8] | None) -> Image.Image:
    order = sorted(range(report.batch), key=lambda at: -(report.images[at].leakage or -1.0))[:_COLUMNS]
    lines = 1 if originals is None else 2
    size = (_LEFT + len(order) * (_TILE + _GAP), lines * (_TILE + _GAP) + _CAPTION + _GAP)
    row, font = Image.new("RGB", size, _GROUND), ImageFont.load_default(12)
    pen = ImageDraw.Draw(row)
    pen.multiline_text((_GAP, 0), "\n".join(_told(report, sent, len(order), originals is not None)), _INK, font)
    for column, at in enumerate(order):
        left, below = _LEFT + column * (_TILE + _GAP), (lines - 1) * (_TILE + _GAP)
        if originals is not None:
            row.paste(_tile(np.asarray(originals[at])), (left, 0))
        row.paste(_tile(report.reconstructions[at] if report.reconstructions else None), (left, below))
        image = report.images[at]
        colour = _WARNING if image.leaked else _INK
        pen.text((left + _TILE / 2, below + _TILE + 1), _caption(report, image), colour, font, anchor="ma")
    return row


def _told(report: LeakageReport, sent: bool | None, drawn: int, with_originals: bool) -> list[str]:
    """The lines of text beside a round's tiles."""
    told = ["no round" if report.round is None else f"round {report.round}", report.verdict.replace("_", " ")]
    if report.defense != "none":
        told.append(report.defense)
    if sent is not None:
        told.append("sent" if sent else "blocked")
    if drawn < report.batch:
        told.append(f"{drawn} of {report.batch} images")
    if with_originals:
        told.append("originals above")
    return told


def _caption(report: LeakageReport, image: ImageLeakage) -> str:
    if image.distance is None:
        return "no image"
    untold = image.leakage is None or report.verdict is LeakageVerdict.COULD_NOT_TELL
    return "could not tell" if untold else f"{image.leakage:.2f}"


def _tile(image: NDArray[np.uint8] | None) -> Image.Image:
    """An image ``(H, W, C)`` in the middle of a tile, enlarged by a whole number; an empty tile for None."""
    tile = Image.new("RGB", (_TILE, _TILE), _GROUND)
    if image is None:
        ImageDraw.Draw(tile).rectangle((0, 0, _TILE - 1, _TILE - 1), outline=_PALE)
        return tile
    picture = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image).convert("RGB")
    longest = max(picture.size)
    scale: float = _TILE // longest or _TILE / longest
    width, height = (max(1, round(side * scale)) for side in picture.size)
    resampling = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    tile.paste(picture.resize((width, height), resampling), ((_TILE - width) // 2, (_TILE - height) // 2))
    return tile
