"""The figures of each setting of a set: what leaks, how near the reconstructions are, and the published figures."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, pstdev
from typing import TYPE_CHECKING

import numpy as np

from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim.uninformative import Uninformative
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import ScoredRow, by_setting, score_rows, statuses
from semsim_training.reconstructions.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from semsim_training.reference_metrics.lpips import Lpips

CAP_DB = 60.0
"""An exact copy has an infinite PSNR; for means it counts as this."""
_MIDDLE = (0.05, 0.95)

_COLUMNS = (
    "setting", "images", "status", "explained (random)", "leakage mean (90% of images)", "recognizable", "verdict",
    "PSNR mean ± sd (median)", "SSIM", "LPIPS", "labels", "iterations", "s an image", "published",
)  # fmt: skip

_PUBLISHED = {
    ("dlg", False): "23.4 dB (breaching's notebook, ConvNet)",
    ("inversed", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("inverting-gradients", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("smooth", True): "10 to 20 dB (invertinggradients, trained ResNets)",
    ("closed-form", False): "near exact (breaching's notebook `analytic`)",
    ("imprint", False): "most of a batch near exact (Fowl et al.)",
    ("loki", False): "76 to 86% of 100 clients' images (Zhao et al.)",
}
"""Published figures, by preset and by whether the victim was trained."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of some numbers, and how they spread."""

    mean: float
    deviation: float
    median: float
    low: float
    """90% of the numbers are between ``low`` and ``high``."""
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """The spread of numbers; ``None`` where there are none."""
        if not values:
            return None
        low, high = np.quantile(values, _MIDDLE)
        return cls(mean(values), pstdev(values), median(values), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Result:
    """One setting's figures. Reconstructions of attacks that diverged are counted and take no part in the others."""

    setting: str
    images: int
    iterations: int
    statuses: str
    """The number of images of each status that occurs, in words."""
    diverged: int
    """The images of attacks that diverged."""
    explained: float | None
    """The mean share of the update that reconstructions explain; ``None`` where the set does not say it."""
    explained_by_random: float | None
    scored: int
    """The images that were scored; SSIM and LPIPS are of them."""
    judged: int
    """The scored images that have a leakage: where an original shows nothing, there is none."""
    leakage: Spread | None
    """``None`` where no image was scored or the model is not calibrated."""
    recognizable: int | None
    """The number of recognizable images among those that have a leakage; ``None`` as ``leakage`` is."""
    verdict: Verdict
    psnr: Spread | None
    """dB; ``None`` where every attack diverged."""
    ssim: float | None
    lpips: float | None
    labels_right: float | None
    """The share of labels that the attack used or found right; ``None`` where it says nothing of labels."""
    seconds: float | None
    """Time of one worker for all images; ``None`` where the set does not say it."""
    published: str
    """The published figure, or nothing."""


def results(made: ReconstructionSet, scored: Sequence[ScoredRow]) -> list[Result]:
    """The figures of every setting, in the set's order; ``scored`` are the set's rows."""
    seconds: dict[str, list[float | None]] = defaultdict(list)
    rows = iter(scored)
    for file in made.description.shards:
        of_shard = list(itertools.islice(rows, file.rows))
        seconds[of_shard[0].row.setting].append(file.seconds)
    return [_result(of_setting, seconds[setting]) for setting, of_setting in by_setting(scored).items()]


def markdown(made: ReconstructionSet, scorer: Scorer, lpips: "Lpips | None" = None, progress: Progress = silent) -> str:
    """The figures as a table, and above it what they are.

    Where originals are missing, the table comes without the figures that need them, and says why.
    """
    scored = score_rows(made, made.rows, scorer, lpips, progress)
    figures = results(made, scored)
    columns = [name for name in _COLUMNS if name != "LPIPS" or lpips is not None]
    lines = [
        f"One worker with one thread on {made.description.machine}; other work ran on the machine. Leakage by "
        f"{scorer.manifest.name} {scorer.manifest.version}, recognizable from {scorer.manifest.threshold} on. "
        f"PSNR in dB against the client's original; an exact copy counts as {CAP_DB:.0f}. Attacks that diverged are "
        "counted and take no part in means. Explained: the share of the update that the reconstructions explain, "
        "beside that of random or uniform images. Status and explained are of the client's whole batch. Labels: the "
        "share that the attack used or found right.",
        *_not_computed(scored, scorer),
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for figure in figures:
        cells = dict(zip(_COLUMNS, _cells(figure), strict=True))
        lines.append(f"| {' | '.join(cells[name] for name in columns)} |")
    return "\n".join(lines)


def _not_computed(scored: Sequence[ScoredRow], scorer: Scorer) -> list[str]:
    """The sentences that say what the table lacks."""
    sentences = []
    failures = [one.failure for one in scored if one.failure is not None]
    if failures:
        sentences.append(
            f"**Leakage and SSIM could not be computed for {len(failures)} of {len(scored)} reconstructions**, which "
            f"says nothing about them: {failures[0].message}."
        )
    untold = [(one.row, one.score.uninformative) for one in scored if one.score is not None]
    if empty := len({row.original_sha256 for row, why in untold if why is Uninformative.ORIGINAL}):
        sentences.append(
            f"**{empty} originals show nothing that could be recognised**, such as one colour: their reconstructions "
            "have no leakage, which does not say that they are safe."
        )
    sentences += [
        f"**{count} reconstructions have no leakage**: {why.reason}."
        for why in Uninformative
        if why is not Uninformative.ORIGINAL
        if (count := sum(one is why for _, one in untold))
    ]
    if scorer.manifest.calibration is None:
        sentences.append(f"**Leakage could not be computed**: {scorer.manifest.name} carries no calibration.")
    return [line for sentence in sentences for line in ("", sentence)]


def _cells(figure: Result) -> tuple[str, ...]:
    leakage, psnr = figure.leakage, figure.psnr
    recognizable = "-" if figure.recognizable is None else f"{figure.recognizable / figure.judged:.0%}"
    partial = f" of {figure.judged}" * (figure.judged < figure.images - figure.diverged)
    return (
        figure.setting,
        str(figure.images),
        figure.statuses,
        "-" if figure.explained is None else f"{figure.explained:.2f} ({_number(figure.explained_by_random)})",
        "-" if leakage is None else f"{leakage.mean:.2f} ({leakage.low:.2f} to {leakage.high:.2f}){partial}",
        recognizable,
        figure.verdict,
        "-" if psnr is None else f"{psnr.mean:.1f} ± {psnr.deviation:.1f} ({psnr.median:.1f})",
        _number(figure.ssim),
        _number(figure.lpips),
        "" if figure.labels_right is None else f"{figure.labels_right:.0%}",
        str(figure.iterations),
        "-" if figure.seconds is None else f"{figure.seconds / figure.images:.2f}",
        figure.published,
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _result(rows: Sequence[ScoredRow], seconds: Sequence[float | None]) -> Result:
    first, finished = rows[0].row, [one.row for one in rows if one.row.done]
    scores = [one.score for one in rows if one.score is not None]
    leakages = [score.leakage for score in scores if score.leakage is not None]
    silent = {one.row.label_used for one in rows} == {-1}
    return Result(
        setting=first.setting,
        images=len(rows),
        iterations=first.iterations,
        statuses=statuses(rows),
        diverged=len(rows) - len(finished),
        explained=_mean([row.explained for row in finished]),
        explained_by_random=_mean([row.explained_by_random for row in finished]),
        scored=len(scores),
        judged=len(leakages),
        leakage=Spread.of(leakages),
        recognizable=sum(score.recognizable is True for score in scores) if leakages else None,
        verdict=verdict_of(rows),
        psnr=Spread.of([min(row.psnr, CAP_DB) for row in finished]),
        ssim=_mean([score.ssim for score in scores]),
        lpips=_mean([one.lpips for one in rows]),
        labels_right=None if silent else sum(one.row.label == one.row.label_used for one in rows) / len(rows),
        seconds=sum(taken for taken in seconds if taken is not None) if None not in seconds else None,
        published=_PUBLISHED.get((first.preset, first.trained), "") if first.defense == "none" else "",
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the numbers that are there; ``None`` where there are none."""
    given = [value for value in values if value is not None]
    return mean(given) if given else None
