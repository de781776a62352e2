"""Draws the most contradictory images: those that leak by one metric and do not by another."""

import io
from collections.abc import Mapping, Sequence
from itertools import combinations

from PIL import Image, ImageDraw, ImageFont

from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.faithfulness.report import FaithfulnessReport, ImagePair
from semsim_training.faithfulness.study import ANNOTATORS
from semsim_training.faithfulness.wording import metric_name, title
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.pair import Pair

_TILE, _GAP, _CAPTION, _HEADING = 64, 8, 32, 26
_GROUND, _INK, _PALE = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def draw_contradictions(report: FaithfulnessReport, judged: JudgedSet) -> bytes:
    """A PNG with a row for each two of the annotators and the metrics.

    Each image is an original with its reconstruction beside it. On the left are images that leak by the first and not
    by the second, on the right those that leak by the second and not by the first.
    """
    images = dict(zip(judged.items, judged.pairs, strict=True))
    by_metrics: dict[tuple[str, str], list[ImagePair]] = {}
    for image_pair in report.image_pairs:
        by_metrics.setdefault((image_pair.first, image_pair.second), []).append(image_pair)
    twins = report.correlations.twins
    names = [name for name in report.correlations.names if name not in twins]
    rows = [pair for pair in combinations(names, 2) if pair in by_metrics or pair[::-1] in by_metrics]
    count = max(map(len, by_metrics.values()), default=0)
    block = count * (2 * _TILE + _GAP)
    height = _HEADING + _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (2 * block + 4 * _GAP, _HEADING + 22 + height * len(rows)), _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 8), f"{title(report)}: original | reconstruction", _INK, ImageFont.load_default(17))
    legend = (
        f"below: how many {PLURALS[report.judged_by]} recognised it, and its ranks by the first named and by the second"
    )
    legend += "".join(f"; {name} ranks as {other} does" for name, other in twins.items())
    pen.text((_GAP, 30), legend, _PALE, ImageFont.load_default(11))
    for number, (first, second) in enumerate(rows):
        top = _HEADING + 22 + number * height
        for left, order in ((_GAP, (first, second)), (3 * _GAP + block, (second, first))):
            _draw_block(sheet, (left, top), report, order, by_metrics.get(order, ()), images)
    sink = io.BytesIO()
    sheet.save(sink, "PNG", optimize=True)
    return sink.getvalue()


def _draw_block(
    sheet: Image.Image,
    corner: tuple[int, int],
    report: FaithfulnessReport,
    order: tuple[str, str],
    chosen: Sequence[ImagePair],
    images: Mapping[str, Pair],
) -> None:
    left, top = corner
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    leaky, safe = (metric_name(report, name) for name in order)
    pen.text((left, top + 6), _heading(order, leaky, safe), _INK, ImageFont.load_default(14))
    for place, image_pair in enumerate(chosen):
        x, y = left + place * (2 * _TILE + _GAP), top + _HEADING
        pair = images[image_pair.item]
        for half, pixels in enumerate((pair.original(), pair.reconstruction())):
            tile = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.NEAREST)
            sheet.paste(tile, (x + half * _TILE, y))
        pen.text((x, y + _TILE + 2), f"{image_pair.recognised} of {image_pair.annotators} recognised", _INK, font)
        ranks = f"ranks {image_pair.rank_first:.0%}, {image_pair.rank_second:.0%}"
        pen.text((x, y + _TILE + 15), ranks, _PALE, font)


def _heading(order: tuple[str, str], leaky: str, safe: str) -> str:
    if order[0] == ANNOTATORS:
        return f"{leaky} recognised them, {safe} says safe"
    if order[1] == ANNOTATORS:
        return f"{leaky} says leak, {safe} did not recognise them"
    return f"{leaky} says leak, {safe} says safe"
