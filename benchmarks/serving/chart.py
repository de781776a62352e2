"""The picture of a breakdown."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.parts import Part

# The work in blues, encoded images in greens, what surrounds it in warm colours: in the order of the parts.
_COLOURS = [
    "#1f4e79",
    "#4682b4",
    "#9dc3e6",
    "#548235",
    "#a9d18e",
    "#7f7f7f",
    "#bfbfbf",
    "#ffe699",
    "#ffd966",
    "#f4b183",
    "#ed7d31",
    "#c00000",
    "#7030a0",
    "#e6e6e6",
]


def draw(rows: Sequence[tuple[str, dict[Part, float]]], file: Path) -> None:
    """A bar for each row, of milliseconds of CPU a pair, in its parts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.6 + 0.5 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    names = [name for name, _ in rows]
    left = [0.0] * len(rows)
    for part, colour in zip(Part, _COLOURS, strict=True):
        widths = [cpu.get(part, 0.0) * 1e3 for _, cpu in rows]
        axes.barh(names, widths, left=left, color=colour, label=part.value, edgecolor="white", linewidth=0.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of CPU a pair")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    figure.savefig(file)
