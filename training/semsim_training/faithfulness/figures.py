"""Draws the pictures of a report, as PNG. Each says who judged."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import SubFigure

from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.faithfulness.metric_agreement import Level, Statistic
from semsim_training.faithfulness.metric_values import Direction
from semsim_training.faithfulness.report import FaithfulnessReport, Figure
from semsim_training.faithfulness.wording import (
    STATISTICS,
    figure_text,
    levels,
    metric_name,
    short_names,
    title,
)

_DPI = 110
_INK, _PALE = "#1b4f72", "#b0b7bd"


def settings_figure(report: FaithfulnessReport) -> bytes:
    """The mean of each metric over each setting against the mean recognised share, both with intervals."""
    columns = min(3, len(report.metrics))
    rows = -(-len(report.metrics) // columns)
    names = short_names([setting.name for setting in report.settings])
    legend_columns = 1 if max(map(len, names.values())) > 60 else 2
    legend_rows = -(-len(names) // legend_columns)
    legend_height = 0.19 * legend_rows + 0.25
    canvas = Canvas(figsize=(4.1 * columns, 3.3 * rows + 0.6 + legend_height), layout="constrained")
    halves = canvas.subfigures(2, 1, height_ratios=(3.3 * rows + 0.6, legend_height), squeeze=False)
    picture, legend = halves[:, 0]
    who = PLURALS[report.judged_by]
    picture.suptitle(f"Settings of {title(report)}: to the right, the metric says more leakage")
    colours = colormaps["turbo"](np.linspace(0.05, 0.95, len(report.settings)))
    panels = picture.subplots(rows, columns, sharey=True, squeeze=False)
    for number, panel in enumerate(panels.flat):
        if number >= len(report.metrics):
            panel.set_axis_off()
            continue
        metric = report.metrics[number]
        for place, setting in enumerate(report.settings):
            mean = next(one.figure for one in setting.means if one.metric == metric.name)
            _point(panel, mean, setting.share, colours[place], str(place + 1))
        if metric.direction is Direction.DOWN:
            panel.invert_xaxis()
        spearman = figure_text(report.figure(metric.name, Statistic.SETTING_SPEARMAN), 2)
        panel.set_title(f"Spearman {spearman}", fontsize=9)
        panel.set_xlabel(f"{metric.name}, mean of a setting")
        panel.grid(color="#eeeeee")
        if number % columns == 0:
            panel.set_ylabel(f"share of {who} who recognised")
    _legend(legend, list(names.values()), legend_columns)
    return _png(canvas)


def _point(panel: Axes, across: Figure, up: Figure, colour: Sequence[float], label: str) -> None:
    (left, x, right), (bottom, y, top) = _numbers(across), _numbers(up)
    panel.plot([left, right], [y, y], color=colour, linewidth=1)
    panel.plot([x, x], [bottom, top], color=colour, linewidth=1)
    panel.plot([x], [y], marker="o", markersize=11, color=colour, alpha=0.9, markeredgecolor="white")
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.55
    panel.annotate(
        label, (x, y), color="white" if dark else "black", fontsize=7, ha="center", va="center_baseline", weight="bold"
    )


def _legend(place: SubFigure, names: list[str], columns: int) -> None:
    rows = -(-len(names) // columns)
    for number, name in enumerate(names):
        column, row = divmod(number, rows)
        place.text(
            0.03 + column / columns, 1 - (row + 0.7) / (rows + 1), f"{number + 1}  {name}", fontsize=8, va="center"
        )


def agreement_figure(report: FaithfulnessReport) -> bytes:
    """Every metric's agreement with the annotators by every statistic, with intervals: images above, settings below."""
    ranked = report.ranked
    canvas = Canvas(figsize=(11.5, 2 * (0.34 * len(ranked) + 1.1) + 0.5), layout="constrained")
    canvas.suptitle(f"Agreement with {PLURALS[report.judged_by]}: {report.name}, {report.confidence:.0%} intervals")
    panels = canvas.subplots(2, 3, sharey=True)
    for line, (level, statistics) in zip(panels, levels().items(), strict=True):
        for panel, statistic in zip(line, statistics, strict=True):
            for row, metric in enumerate(ranked):
                low, value, high = _numbers(report.figure(metric, statistic))
                panel.plot([low, high], [row, row], color=_INK, linewidth=2)
                panel.plot([value], [row], marker="o", color=_INK)
            panel.axvline(statistic.chance, color=_PALE, linestyle="--", linewidth=1)
            panel.set_title(f"{STATISTICS[statistic]}, {_counted(report, level)}", fontsize=10)
            panel.grid(axis="x", color="#eeeeee")
    panels[0, 0].set_yticks(range(len(ranked)), ranked)
    panels[0, 0].set_ylim(len(ranked) - 0.5, -0.5)
    canvas.supxlabel("higher = agrees further; dashed = by chance", fontsize=9)
    return _png(canvas)


def _counted(report: FaithfulnessReport, level: Level) -> str:
    return f"{report.images:,} images" if level is Level.IMAGES else f"{len(report.settings)} settings"


def correlation_figure(report: FaithfulnessReport) -> bytes:
    """Spearman between the annotators and all metrics, over images and over settings."""
    names = [metric_name(report, name) for name in report.correlations.names]
    side = 0.55 * len(names) + 1.6
    canvas = Canvas(figsize=(2 * side + 0.8, side), layout="constrained")
    canvas.suptitle(f"Spearman between metrics and {PLURALS[report.judged_by]}: {report.name}")
    panels = canvas.subplots(1, 2)
    tables = ((Level.IMAGES, report.correlations.images), (Level.SETTINGS, report.correlations.settings))
    for panel, (level, table) in zip(panels, tables, strict=True):
        values = np.array([[np.nan if value is None else value for value in row] for row in table])
        shown = panel.imshow(values, cmap="RdBu", vmin=-1, vmax=1)
        for row, column in np.ndindex(values.shape):
            value = values[row, column]
            ink = "white" if abs(value) > 0.6 else "black"
            text = "-" if np.isnan(value) else f"{value:.2f}"
            panel.text(column, row, text, color=ink, ha="center", va="center", fontsize=8)
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right")
        panel.set_yticks(range(len(names)), names)
        panel.set_title(_counted(report, level), fontsize=10)
    canvas.colorbar(shown, ax=panels, shrink=0.8)
    return _png(canvas)


def _numbers(figure: Figure) -> tuple[float, float, float]:
    """Low, value and high; NaN, which Matplotlib leaves out, where one is not defined."""
    low, value, high = (np.nan if one is None else one for one in (figure.low, figure.value, figure.high))
    return low, value, high


def _png(canvas: Canvas) -> bytes:
    sink = io.BytesIO()
    # No version in the file: the same figures make the same bytes.
    canvas.savefig(sink, format="png", dpi=_DPI, metadata={"Software": None})
    return sink.getvalue()
