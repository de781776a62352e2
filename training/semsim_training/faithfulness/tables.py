"""A report as a short table, for the terminal and for a page in Markdown."""

from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.faithfulness.metric_agreement import Level, Statistic
from semsim_training.faithfulness.report import FaithfulnessReport, VictimsRecord
from semsim_training.faithfulness.wording import (
    STATISTICS,
    caveats,
    figure_text,
    lead_text,
    levels,
    statistic_name,
    summary,
    title,
    unseparated,
    victims_title,
)

_IN_TERMINAL = (Statistic.AUC, Statistic.IMAGE_SPEARMAN, Statistic.SETTING_SPEARMAN)


def terminal_table(report: FaithfulnessReport) -> str:
    """A summary, and how far each metric agrees with the annotators, the best first."""
    heads = [f"{statistic_name(one):>22}" for one in _IN_TERMINAL]
    wide = max(len("metric"), *(len(name) for name in report.ranked))
    lines = [title(report), summary(report), "", f"{'metric':{wide}} {' '.join(heads)}"]
    for metric in report.ranked:
        figures = [f"{figure_text(report.figure(metric, one)):>22}" for one in _IN_TERMINAL]
        lines.append(f"{metric:{wide}} {' '.join(figures)}")
    lines += ["", f"higher = agrees further with {PLURALS[report.judged_by]}; {report.confidence:.0%} intervals"]
    return "\n".join(lines)


def markdown(report: FaithfulnessReport) -> str:
    """A summary, every statistic of each metric, and the pairs of metrics that cannot be told apart."""
    statistics = [statistic for level in levels().values() for statistic in level]
    lines = [
        summary(report),
        "",
        f"| metric | {' | '.join(map(statistic_name, statistics))} |",
        "|---" * (len(statistics) + 1) + "|",
    ]
    for metric in report.ranked:
        figures = (figure_text(report.figure(metric, one), 2) for one in statistics)
        lines.append(f"| {metric} | {' | '.join(figures)} |")
    pairs = len(report.metrics) * (len(report.metrics) - 1) // 2
    lines.append("")
    for level, statistic in ((Level.IMAGES, Statistic.AUC), (Level.SETTINGS, Statistic.SETTING_SPEARMAN)):
        apart = unseparated(report, statistic)
        lines.append(
            f"* Over {level} ({STATISTICS[statistic]}) the interval of the difference leaves out 0 for "
            f"{pairs - len(apart)} of {pairs} pairs of metrics{', not for ' if apart else ''}{'; '.join(apart)}."
        )
    lines += [f"* {caveat}" for caveat in caveats(report)]
    return "\n".join([*lines, *(line for victims in report.victims for line in _victims_table(victims))])


def _victims_table(victims: VictimsRecord) -> list[str]:
    """The metrics over the reconstructions from one kind of victim, the best first."""
    lines = [
        "",
        f"**{victims_title(victims)}**",
        "",
        "| metric | AUC, images | AUC over judgements, images | lead in AUC over the best other metric |",
        "|---|---|---|---|",
    ]
    for name in victims.ranked:
        figures = [figure_text(victims.figure(name, one), 2) for one in (Statistic.AUC, Statistic.JUDGEMENT_AUC)]
        lines.append(f"| {name} | {' | '.join(figures)} | {lead_text(victims.lead(name), 2)} |")
    return lines
