"""The curve of a series: leakage beside that of the controls, round by round."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semsim.exceptions import InvalidDataset
from semsim_federation.leakage_report import LeakageVerdict
from semsim_federation.series import AuditedRound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 2.6
"""The height in inches of the curve of one series."""


def plot_series(series: Mapping[str, Sequence[AuditedRound]], out: Path) -> None:
    """Draw each series by its name: leakage, controls, the share of leaked images, what was blocked, untold or missing.

    Raises:
        InvalidDataset: there is no series, or one without a row.
    """
    if not series or not all(series.values()):
        raise InvalidDataset("expected a series of at least one audit, got none")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + _HEIGHT * len(series)), layout="constrained")
    panels = figure.subplots(len(series), sharex=True, squeeze=False)[:, 0]
    legend: dict[str, Any] = {}
    for axes, (name, rows) in zip(panels, series.items(), strict=True):
        _draw(axes, rows)
        axes.set(ylim=(-0.03, 1.03), title=name)
        legend |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    panels[-1].set_xlabel("round")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle("Audited rounds: not shown to leak is not safe")
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3)
    figure.savefig(out, dpi=150)


def _draw(axes: "Axes", rows: Sequence[AuditedRound]) -> None:
    rounds = [row.round for row in rows]
    # Blocked and untold rounds take the whole height, because a mark at a height would read as a leakage.
    for row in rows:
        if row.sent is False:
            axes.axvspan(row.round - 0.5, row.round + 0.5, color="#c44", alpha=0.12, linewidth=0, label="blocked")
    numbers = sorted({row.round for row in rows})
    for before, after in pairwise(numbers):
        if after > before + 1:
            axes.axvspan(before + 0.5, after - 0.5, color="#888", alpha=0.12, linewidth=0, label="no audit")
    low, high = [row.control_mean for row in rows], [row.control_max for row in rows]
    if any(mean <= largest for mean, largest in zip(low, high, strict=True)):  # NaN is not
        axes.fill_between(rounds, low, high, color="#999", alpha=0.4, linewidth=0, label="controls, mean to largest")
        axes.plot(rounds, low, "_", color="#777")
        axes.plot(rounds, high, "_", color="#777")
    axes.plot(rounds, [row.leakage_max for row in rows], "o-", label="largest leakage", color="#c44")
    axes.plot(rounds, [row.leakage_mean for row in rows], "o--", label="mean leakage", color="#48c")
    # A step between two rounds that could not be told has no length: its mark alone is seen.
    shares = [row.share_leaked for row in rows]
    axes.step(rounds, shares, where="mid", marker="s", markersize=4, label="share of images leaked", color="#333")
    doubtful = [row.round for row in rows if row.verdict == LeakageVerdict.COULD_NOT_TELL]
    if doubtful:
        whole = axes.get_xaxis_transform()
        axes.vlines(doubtful, 0, 1, transform=whole, color="#888", linestyles="dotted", label="could not tell")
