"""Reports of agreement as text for a terminal."""

from collections.abc import Sequence

from semsim_training.annotation.annotator_agreement import AgreementReport, AnnotatorReport
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.statistics.intervals import Rate
from semsim_training.statistics.krippendorff import Alpha

PLURALS = {
    AnnotatorKind.PERSON: "people",
    AnnotatorKind.VISION_MODEL: "vision models",
    AnnotatorKind.CLASSIFIER: "classifiers",
}
_COLUMNS = ("annotator", "judged", "recognised", "clean gold", "noise gold", "same on repeats")


def agreement_table(reports: Sequence[AgreementReport]) -> str:
    """The reports as blocks of lines."""
    return "\n\n".join("\n".join(_block(report)) for report in reports)


def agreement_markdown(reports: Sequence[AgreementReport]) -> str:
    """The reports as a Markdown table, a row for each set and kind of annotator."""
    lines = [
        "| set | judged by | reconstructions | judgements | recognised | alpha of classes | alpha of recognised | "
        "clean gold named | noise called unrecognizable |",
        "|---" * 9 + "|",
    ]
    for report in reports:
        count = len(report.annotators)
        who = report.kind.replace("_", " ") if count == 1 else PLURALS[report.kind]
        recognised = Rate.together(one.recognised for one in report.annotators)
        clean = Rate.together(one.clean for one in report.annotators)
        noise = Rate.together(one.noise for one in report.annotators)
        cells = (
            f"`{report.dataset}`",
            f"{count} {who}",
            f"{report.items:,}",
            f"{recognised.of:,}",
            "-" if recognised.value is None else f"{recognised.value:.1%}",
            _alpha(report.classes),
            _alpha(report.recognised),
            *(f"{share.count} of {share.of}" for share in (clean, noise)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    drawn = ", ".join(sorted({f"{report.draws:,} draws of {report.drawn}" for report in reports}))
    return "\n".join([*lines, "", f"Krippendorff's alpha, nominal, with 95% intervals of {drawn}."])


def _block(report: AgreementReport) -> list[str]:
    lines = [_COLUMNS, *map(_cells, report.annotators)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        f"{report.dataset}, {PLURALS[report.kind]}: {report.items} reconstructions judged, "
        f"{report.classes.items} of them by two annotators or more",
        f"  alpha of classes     {_alpha(report.classes)}",
        f"  alpha of recognised  {_alpha(report.recognised)}",
        f"  (Krippendorff, nominal; 95% intervals of {report.draws} draws of {report.drawn}; Wilson for shares)",
        "",
        *("".join(f"  {cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines),
    ]


def _cells(report: AnnotatorReport) -> tuple[str, ...]:
    shares = (report.recognised, report.clean, report.noise, report.repeats)
    return (report.annotator, str(report.recognised.of), *map(_share, shares))


def _alpha(alpha: Alpha) -> str:
    if alpha.value is None:
        return f"none: {alpha.reason}"
    if alpha.interval is None:
        return f"{alpha.value:.3f}  no interval: {alpha.reason}"
    return f"{alpha.value:.3f}  [{alpha.interval.low:.3f}, {alpha.interval.high:.3f}]"


def _share(rate: Rate) -> str:
    if rate.value is None or rate.interval is None:
        return "-"
    return f"{rate.count}/{rate.of} [{rate.interval.low:.0%}, {rate.interval.high:.0%}]"
