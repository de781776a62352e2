"""Draws a comparison: the mean of each measure for every setting, with its interval."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.comparison import MEASURES, Compared, ComparedBy, Measure

_DPI = 120
_INK = "#1b4f72"
_LINE = 0.3
"""The height of a setting, in inches."""
_SHARES = {"leakage", "recognizable"}
_TITLES = {"PSNR": "PSNR (dB)", "LPIPS": "LPIPS (lower: closer)"}
_ACROSS = ("axes fraction", "data")


def comparison_plot(compared: Sequence[Compared], by: ComparedBy, title: str) -> bytes:
    """The means and 95% intervals as a PNG: a panel for each measure, a line for each setting, its group above it.

    Raises:
        InvalidDataset: every attack diverged, so that there is nothing to draw.
    """
    measures = [measure for measure in MEASURES if any(measure.name in one.means for one in compared)]
    if not measures:
        raise InvalidDataset("expected reconstructions to plot, got attacks that all diverged: nobody could tell")
    places, headings = _places(compared)
    height = _LINE * (max(places) + 2) + 1.2
    canvas = Figure(figsize=(2.6 + 1.9 * len(measures), height), layout="constrained")
    canvas.suptitle(title, fontsize=10)
    panels = canvas.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for panel, measure in zip(panels, measures, strict=True):
        _panel(panel, compared, places, measure)
    first = panels[0]
    first.set_ylim(max(places) + 0.7, -0.7)
    first.set_yticks(places, [one.name for one in compared], fontsize=8)
    for place, heading in headings:
        text = first.annotate(heading, (0, place), xycoords=_ACROSS, fontsize=7.5, weight="bold", va="center")
        text.set_in_layout(False)  # it runs on into the other panels
    canvas.supxlabel(
        f"Hollow: the difference from the group's first {by}, on the same clients, may be none,\n"
        "or an attack found nothing on some of them: not shown to leak by this attack.",
        fontsize=8,
    )
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _places(compared: Sequence[Compared]) -> tuple[list[int], list[tuple[int, str]]]:
    """The line of each setting, and the line and text of each group's heading."""
    places, headings, place, group = [], list[tuple[int, str]](), -1, ""
    for one in compared:
        if one.group != group:
            group = one.group
            place += 1
            headings.append((place, group))
        place += 1
        places.append(place)
    return places, headings


def _panel(panel: Axes, compared: Sequence[Compared], places: Sequence[int], measure: Measure) -> None:
    for one, place in zip(compared, places, strict=True):
        mean = one.means.get(measure.name)
        if mean is None:
            panel.annotate("could not tell", (0.02, place), xycoords=_ACROSS, fontsize=7, va="center")
            continue
        if mean.interval is not None:
            panel.plot([mean.interval.low, mean.interval.high], [place, place], color=_INK, linewidth=1.5)
        difference = one.differences.get(measure.name)
        filled = not one.nothing_found and (difference is None or difference.sure)
        panel.plot(mean.value, place, "o", color=_INK, markersize=5, markerfacecolor=_INK if filled else "white")
    panel.set_title(_TITLES.get(measure.name, measure.name), fontsize=9)
    panel.tick_params(axis="x", labelsize=7)
    if measure.name in _SHARES:
        panel.set_xlim(-0.03, 1.03)
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.grid(visible=True, axis="x", color="#eeeeee")
    panel.set_axisbelow(True)
    panel.patch.set_visible(False)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="y", length=0)
