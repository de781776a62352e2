"""What each attack of a set achieved, beside what was published."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

from semsim_training.reconstructions.dataset import DatasetDescription, read_set

_RECOGNISABLE_DB = 20.0
_CAP_DB = 60.0
"""An exact copy has an infinite PSNR; for means it counts as this."""

_COLUMNS = (
    "setting", "images", "iterations", "PSNR mean ± sd (median)", "above 20 dB", "labels", "diverged",
    "s an image", "published",
)  # fmt: skip

_PUBLISHED = {
    ("dlg", False): "23.4 dB (breaching's notebook, ConvNet)",
    ("inversed", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("inverting-gradients", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("smooth", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("closed-form", False): "near exact (breaching's notebook `analytic`)",
    ("imprint", False): "most of a batch near exact (Fowl et al.)",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One setting's figures."""

    setting: str
    images: int
    iterations: int
    psnr_mean: float
    psnr_deviation: float
    psnr_median: float
    above_20_db: float
    labels_right: float | None
    """``None``: the attack says nothing of labels."""
    diverged: int
    seconds: float
    published: str


def results(directory: Path) -> list[Result]:
    """The figures of every setting, in the set's order.

    Raises:
        InvalidDataset: no finished set there.
    """
    seconds: dict[str, float] = defaultdict(float)
    by_setting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = iter(read_set(directory).drop_columns(["original", "reconstruction"]).to_pylist())
    for file in DatasetDescription.read(directory).shards:
        for _ in range(file.rows):
            row = next(rows)
            by_setting[row["setting"]].append(row)
        seconds[row["setting"]] += file.seconds or 0.0
    return [_result(setting, own, seconds[setting]) for setting, own in by_setting.items()]


def markdown(directory: Path) -> str:
    """The figures as a table."""
    machine = DatasetDescription.read(directory).machine
    lines = [
        f"One worker with one thread on {machine}; other work ran on the machine. PSNR against the client's original; "
        f"an exact copy counts as {_CAP_DB:.0f} dB in means. Labels: the share that the attack used or found right.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for result in results(directory):
        psnr = f"{result.psnr_mean:.1f} ± {result.psnr_deviation:.1f} ({result.psnr_median:.1f})"
        labels = "" if result.labels_right is None else f"{result.labels_right:.0%}"
        seconds = f"{result.seconds / result.images:.2f}"
        lines.append(
            f"| {result.setting} | {result.images} | {result.iterations} | {psnr} | {result.above_20_db:.0%} "
            f"| {labels} | {result.diverged} | {seconds} | {result.published} |"
        )
    return "\n".join(lines)


def _result(setting: str, rows: list[dict[str, Any]], seconds: float) -> Result:
    used = {row["label_used"] for row in rows}
    published = _PUBLISHED.get((rows[0]["attack"].split(" ")[0], rows[0]["trained"]), "")
    psnr = [min(row["psnr"], _CAP_DB) for row in rows]
    return Result(
        setting=setting,
        images=len(rows),
        iterations=rows[0]["iterations"],
        psnr_mean=mean(psnr),
        psnr_deviation=pstdev(psnr),
        psnr_median=median(psnr),
        above_20_db=sum(value > _RECOGNISABLE_DB for value in psnr) / len(rows),
        labels_right=None if used == {-1} else sum(row["label"] == row["label_used"] for row in rows) / len(rows),
        diverged=sum(row["status"] == "diverged" for row in rows),
        seconds=seconds,
        published=published if rows[0]["defense"] == "none" else "",
    )
