"""The figures of each setting of a set, beside the published ones."""

import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, pstdev

from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import ReconstructionRow

_GOOD_DB = 20.0
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
"""Published figures, by preset and by whether the victim was trained."""


@dataclass(frozen=True, slots=True)
class Result:
    """One setting's figures."""

    setting: str
    images: int
    iterations: int
    psnr_mean: float
    """dB, as the deviation and the median are."""
    psnr_deviation: float
    psnr_median: float
    above_20_db: float
    """The share of reconstructions, 0..1."""
    labels_right: float | None
    """The share of labels that the attack used or found right; ``None`` where it says nothing of labels."""
    diverged: int
    seconds: float
    """Time of one worker for all images."""
    published: str
    """The published figure, or nothing."""


def results(made: ReconstructionSet) -> list[Result]:
    """The figures of every setting, in the set's order."""
    seconds: dict[str, float] = defaultdict(float)
    by_setting: dict[str, list[ReconstructionRow]] = defaultdict(list)
    rows = iter(made.rows)
    for file in made.description.shards:
        of_shard = list(itertools.islice(rows, file.rows))
        by_setting[of_shard[0].setting] += of_shard
        seconds[of_shard[0].setting] += file.seconds or 0.0
    return [_result(of_setting, seconds[setting]) for setting, of_setting in by_setting.items()]


def markdown(directory: Path) -> str:
    """The figures as a table.

    Raises:
        InvalidDataset: no finished set there.
    """
    made = ReconstructionSet.read(directory)
    lines = [
        f"One worker with one thread on {made.description.machine}; other work ran on the machine. PSNR against the "
        f"client's original; an exact copy counts as {_CAP_DB:.0f} dB in means. Labels: the share that the attack used "
        "or found right.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for result in results(made):
        psnr = f"{result.psnr_mean:.1f} ± {result.psnr_deviation:.1f} ({result.psnr_median:.1f})"
        labels = "" if result.labels_right is None else f"{result.labels_right:.0%}"
        seconds = f"{result.seconds / result.images:.2f}"
        lines.append(
            f"| {result.setting} | {result.images} | {result.iterations} | {psnr} | {result.above_20_db:.0%} "
            f"| {labels} | {result.diverged} | {seconds} | {result.published} |"
        )
    return "\n".join(lines)


def _result(rows: list[ReconstructionRow], seconds: float) -> Result:
    first = rows[0]
    psnr = [min(row.psnr, _CAP_DB) for row in rows]
    silent = {row.label_used for row in rows} == {-1}
    return Result(
        setting=first.setting,
        images=len(rows),
        iterations=first.iterations,
        psnr_mean=mean(psnr),
        psnr_deviation=pstdev(psnr),
        psnr_median=median(psnr),
        above_20_db=sum(value > _GOOD_DB for value in psnr) / len(rows),
        labels_right=None if silent else sum(row.label == row.label_used for row in rows) / len(rows),
        diverged=sum(not row.done for row in rows),
        seconds=seconds,
        published=_PUBLISHED.get((first.preset, first.trained), "") if first.defense == "none" else "",
    )
