"""The words of figures, pages and tables."""

import re
from collections.abc import Sequence

from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.faithfulness.metric_agreement import Level, Statistic
from semsim_training.faithfulness.report import Difference, FaithfulnessReport, Figure, VictimsRecord
from semsim_training.faithfulness.study import ANNOTATORS

STATISTICS = {
    Statistic.AUC: "AUC",
    Statistic.JUDGEMENT_AUC: "AUC over judgements",
    Statistic.IMAGE_SPEARMAN: "Spearman",
    Statistic.SETTING_SPEARMAN: "Spearman",
    Statistic.SETTING_KENDALL: "Kendall",
    Statistic.SETTING_PEARSON: "Pearson",
}


def statistic_name(statistic: Statistic) -> str:
    """The statistic and what it ranks, such as ``Spearman, settings``."""
    return f"{STATISTICS[statistic]}, {statistic.level}"


def metric_name(report: FaithfulnessReport, name: str) -> str:
    """The name of a metric, or the kind of the annotators."""
    return PLURALS[report.judged_by] if name == ANNOTATORS else name


def title(report: FaithfulnessReport) -> str:
    """The name of the study, and who judged."""
    return f"{report.name}, judged by {PLURALS[report.judged_by]}"


def figure_text(figure: Figure, digits: int = 3) -> str:
    """A figure with its interval, such as ``0.668 [0.647, 0.690]``."""
    if figure.value is None:
        return "not defined"
    # Adding 0 turns a rounded -0.0 into 0.0.
    value, low, high = (
        None if one is None else round(one, digits) + 0.0 for one in (figure.value, figure.low, figure.high)
    )
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def lead_text(lead: Difference | None, digits: int = 3) -> str:
    """A metric's lead with its interval over the other one, such as ``0.04 [0.02, 0.06] (mse)``."""
    return "" if lead is None else f"{figure_text(lead.figure, digits)} ({lead.second})"


def victims_title(victims: VictimsRecord) -> str:
    """Words for the reconstructions from one kind of victim."""
    return (
        f"{'Trained' if victims.trained else 'Untrained'} victims alone: {victims.images:,} reconstructions of "
        f"{victims.originals:,} originals, {victims.recognised_majority:.1%} recognised by more than half"
    )


def short_names(settings: Sequence[str]) -> dict[str, str]:
    """Each setting's name without the words that all of them share."""
    words = {name: [word for word in re.split(r"_+|--", name) if word] for name in settings}
    shared = set.intersection(*map(set, words.values())) if len(settings) > 1 else set()
    short = {name: " ".join(word for word in words[name] if word not in shared) or name for name in words}
    return short if len(set(short.values())) == len(settings) else {name: name for name in settings}


def summary(report: FaithfulnessReport) -> str:
    """A sentence or two on the reconstructions and the judgements of them."""
    least, most = report.annotators_an_image
    each = f"{least} {PLURALS[report.judged_by]}" if least == most else f"{least} to {most} {PLURALS[report.judged_by]}"
    if most == 1:
        each = f"one {report.judged_by.replace('_', ' ')}"
    return (
        f"{report.images:,} reconstructions of {report.originals:,} originals in {len(report.settings)} settings, each "
        f"judged by {each}: {report.judgements:,} judgements. {report.recognised_judgements:.1%} of the "
        f"judgements named the original's class; for {report.recognised_majority:.1%} of the reconstructions more than "
        "half did."
    )


def caveats(report: FaithfulnessReport) -> tuple[str, ...]:
    """Sentences on how to read the figures and on their limits."""
    settings = len(report.settings)
    sentences = [
        "Every figure is turned so that higher = agrees with the annotators: a metric that falls with leakage "
        f"({_listed(report, 'down')}) is taken with the other sign.",
        f"Intervals are {report.confidence:.0%} percentile intervals of {report.draws:,} draws of originals (seed "
        f"{report.seed}), each with all its reconstructions: they say how figures depend on which originals were "
        "judged. Settings and annotators stay as they are in every draw. As draws add noise of their own, a figure "
        "near 1 may lie at the end of its interval or beyond.",
        f"{settings} settings cannot separate metrics: they are few, they were chosen and not drawn, and others may "
        "order metrics otherwise, which no interval here shows. A claim that one metric is better needs the images.",
        "Intervals of differences take both metrics over the same draws, and are not corrected for how many there are.",
    ]
    infinite = [f"{metric.name} ({metric.infinite})" for metric in report.metrics if metric.infinite]
    if infinite:
        sentences.append(
            f"Infinite values: {', '.join(infinite)}. Ranks of images take them as they are; in means over settings, "
            "and so in every figure of settings, they count as the metric's most extreme finite value."
        )
    if report.left_out:
        small = ", ".join(f"{name} ({count})" for name, count in report.left_out.items())
        sentences.append(f"Left out, having fewer than five judged reconstructions: {small}.")
    return tuple(sentences)


def unseparated(report: FaithfulnessReport, statistic: Statistic) -> tuple[str, ...]:
    """The pairs of metrics between which the interval of the difference holds 0."""
    return tuple(
        f"{difference.first} and {difference.second}"
        for difference in report.differences
        if difference.statistic is statistic and difference.better is None
    )


def levels() -> dict[Level, tuple[Statistic, ...]]:
    """The statistics of each level, in the order of pages and figures."""
    return {level: tuple(one for one in Statistic if one.level is level) for level in (Level.IMAGES, Level.SETTINGS)}


def _listed(report: FaithfulnessReport, direction: str) -> str:
    return ", ".join(metric.name for metric in report.metrics if metric.direction == direction) or "none here"
