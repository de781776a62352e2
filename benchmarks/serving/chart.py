"""The picture of a breakdown."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.parts import Part

# The work in blues, encoded images in greens, what surrounds it in warm colours.
_COLOURS = {
    Part.NETWORK: "#1f4e79",
    Part.METRICS: "#4682b4",
    Part.RESIZING: "#9dc3e6",
    Part.DECODING: "#548235",
    Part.PARSING: "#a9d18e",
    Part.DIGESTS: "#7f7f7f",
    Part.CORE: "#bfbfbf",
    Part.ANSWER: "#ffe699",
    Part.COUNTING: "#ffd966",
    Part.TRANSPORT: "#f4b183",
    Part.STARLETTE: "#ed7d31",
    Part.BENTOML: "#c00000",
    Part.SERVER: "#7030a0",
    Part.OTHER: "#e6e6e6",
}


def draw(rows: Sequence[tuple[str, dict[Part, float]]], file: Path) -> None:
    """A bar a row, of milliseconds of CPU a pair, in its parts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.6 + 0.5 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    names = [name for name, _ in rows]
    left = [0.0] * len(rows)
    for part, colour in _COLOURS.items():
        widths = [cpu.get(part, 0.0) * 1e3 for _, cpu in rows]
        axes.barh(names, widths, left=left, color=colour, label=part.value, edgecolor="white", linewidth=0.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of CPU a pair")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    figure.savefig(file)
