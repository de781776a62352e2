"""Draw ``docs/benchmarks.png``, the plot of the README, from the figures of other pages.

    python -m examples.draw_benchmarks

The left half shows which metrics agree with the annotators, by the card of the bundled model; the right half shows
how fast the service is beside its peers, by ``docs/performance.md``. Nothing is measured here.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semsim_training.markdown import write_between

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "benchmarks.png"
CARD = ROOT / "models" / "semsim-default" / "README.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
LOAD = "64 px, 1 x 16"
"""The column of the serving table that is drawn: 16 clients, each with one pair of 64x64 pixels a request."""
METRICS = {
    "semsim": "SemSim",
    "imagenet-baseline": "ImageNet network",
    "lpips_64": "LPIPS, at 64 pixels",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "lpips": "LPIPS",
}
SERVERS = ("SemSim", "FastAPI", "LitServe")
_OURS, _OTHERS = "#e64a19", "#78909c"


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure of another page; ``low`` and ``high`` are the ends of its 95% interval where the page gives one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def main() -> None:
    """Draw the plot, and write the README's text about it."""
    draw(agreement(), throughput()).savefig(TARGET, dpi=100, metadata={"Description": caption(), "Software": None})
    write_between(ROOT / "README.md", "benchmarks", caption())


def agreement() -> list[Bar]:
    """The AUC of each metric over all test originals, in 0..1, best first."""
    section = CARD.read_text().partition("**All test originals**")[2].partition("\n**")[0]
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", section, re.MULTILINE)
    return [
        Bar(METRICS[name], float(value), float(low), float(high)) for name, value, low, high in rows if name in METRICS
    ]


def leads() -> list[tuple[str, str, str]]:
    """Each data set of the card with the other metric that agrees best there, and SemSim's lead in AUC over it.

    A lead below zero says that SemSim trails there.
    """
    rows = re.findall(r"^\| ([\w/-]+) \|(?:[^|]*\|){4} ([\w-]+) [^|]*\| (-?[\d.]+) ", CARD.read_text(), re.MULTILINE)
    named = [(data, METRICS[other], lead) for data, other, lead in rows if other in METRICS]
    return [one for one in named if one[0] != "all"]


def throughput() -> list[Bar]:
    """The pairs a second of each server, JSON with PNG, as a share of what ONNX Runtime alone computes."""
    section = PERFORMANCE.read_text().partition("Throughput over that of `session.run` alone")[2].partition("\n\nC")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    column = rows[0].index(LOAD)
    told = {row[0]: float(row[column].split()[0]) for row in rows[2:]}
    return [Bar(name, told[f"{name}, JSON with PNG"]) for name in SERVERS]


def served_model() -> str:
    """The name and the version of the model with which the servers were measured, which may be an earlier one."""
    section = PERFORMANCE.read_text().partition("<!-- serving -->")[2]
    named = re.match(r"\s*Model ([\w-]+ \d+\.\d+\.\d+) ", section)
    if named is None:
        raise ValueError(f"expected the model of the servers' figures in {PERFORMANCE}, got none")
    return named[1]


def draw(metrics: list[Bar], servers: list[Bar]) -> Figure:
    """The plot, 900 pixels wide."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _bars(left, metrics, "Does it agree with those who looked?", "AUC; 0.5 = guesses, 1 = always right; lines: 95%")
    left.set_xlim(0.5, 1)
    _bars(right, servers, "How fast is the service?", "pairs a second; 1 = ONNX Runtime alone")
    right.set_xlim(0, 1.25 * max(bar.value for bar in servers))
    return figure


def caption() -> str:
    """The plot with its text, for the README, where the plot may not be seen."""
    told = ", ".join(f"{bar.name} {bar.value:.2f}" for bar in agreement())
    served = ", ".join(f"{bar.name} {bar.value:.2f}" for bar in throughput())
    shown = f"AUC with those who annotated: {told}. Pairs a second as a share of ONNX Runtime alone: {served}"
    apart = ", ".join(f"{lead} AUC over {other} on {data}" for data, other, lead in leads() if lead[0] != "-")
    behind = "".join(
        f" It trails {other} by {lead[1:]} AUC on {data}." for data, other, lead in leads() if lead[0] == "-"
    )
    return f"""![{shown}](docs/benchmarks.png)

*Left: reconstructions of images that the model has not seen ([its card](models/semsim-default/README.md)); it agrees
about as far as [one more annotator](docs/faithfulness.md#the-bundled-model). On one data set alone it gains less over
the best other metric: {apart}.{behind}
Right: {served_model()}, 16 clients, each with one pair of 64x64 pixels a request, on two CPU cores
([performance](docs/performance.md#the-service-under-load)).*"""


def _bars(axes: Axes, bars: list[Bar], title: str, label: str) -> None:
    names = [bar.name for bar in bars]
    colours = [_OURS if name == SERVERS[0] else _OTHERS for name in names]
    axes.barh(names, [bar.value for bar in bars], color=colours, height=0.7)
    for place, bar in enumerate(bars):
        if bar.low is not None and bar.high is not None:
            axes.plot((bar.low, bar.high), (place, place), color="#263238", linewidth=1)
        axes.annotate(
            f"{bar.value:.2f}", (0, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", color="white", fontsize=9,
        )  # fmt: skip
    axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(label, fontsize=8.5)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
