"""Prints how far annotators agree."""

from collections.abc import Sequence

from training.annotation.agreement import AgreementReport, AnnotatorReport
from training.annotation.intervals import Rate
from training.annotation.judgements import AnnotatorKind
from training.annotation.krippendorff import Alpha

PLURALS = {
    AnnotatorKind.PERSON: "people",
    AnnotatorKind.VISION_MODEL: "vision models",
    AnnotatorKind.CLASSIFIER: "classifiers",
}
_COLUMNS = ("judged", "recognised", "clean gold", "noise gold", "same on repeats")


def agreement_table(reports: Sequence[AgreementReport]) -> str:
    """A block of lines for each report, for reading in a terminal."""
    return "\n\n".join("\n".join(_block(report)) for report in reports)


def _block(report: AgreementReport) -> list[str]:
    width = max(len("annotator"), *(len(one.annotator) for one in report.annotators))
    return [
        f"{report.dataset}, {PLURALS[report.kind]}: {report.items} reconstructions judged, "
        f"{report.classes.items} of them by two annotators or more",
        f"  alpha of classes     {_alpha(report.classes)}",
        f"  alpha of recognised  {_alpha(report.recognised)}",
        f"  (Krippendorff, nominal; 95% intervals of {report.draws} draws of {report.drawn}; Wilson for shares)",
        "",
        f"  {'annotator':{width}}" + "".join(f"  {name:>22}" for name in _COLUMNS),
        *(f"  {one.annotator:{width}}" + "".join(f"  {cell:>22}" for cell in _cells(one)) for one in report.annotators),
    ]


def _cells(one: AnnotatorReport) -> tuple[str, ...]:
    shares = (one.recognised, one.clean, one.noise, one.repeats)
    return (str(one.recognised.of), *map(_share, shares))


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
