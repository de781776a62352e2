"""Writes the model card: everything that was measured of a training, on one page, with a picture."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from semsim.manifest import HeldOutResult
from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.annotation.annotator_agreement import AgreementReport, agreement_reports
from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.judgements import read
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.configuration import expanded
from semsim_training.faithfulness.report import Figure
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.judged_sources import JudgedSource, JudgedSources
from semsim_training.metric.changes import MILD
from semsim_training.metric.checkpoint_writing import WEIGHTS
from semsim_training.metric.hold_out import HeldOuts
from semsim_training.metric.metric_comparison import DRAWS
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.recipe_selection import read_selection
from semsim_training.metric.training_report import TrainingReport
from semsim_training.metric.used_inputs import UsedInputs
from semsim_training.statistics.intervals import Rate
from semsim_training.statistics.krippendorff import Alpha


@dataclass(frozen=True, slots=True)
class CardSet:
    """A set on the card."""

    name: str
    items: int
    settings: int
    originals: int
    recognised: float
    """The share that the majority recognised."""
    agreement: AgreementReport
    """The agreement of the annotators who count."""
    left_out: int
    """The number of annotators who do not count, since they do not keep the rule for gold items."""

    @classmethod
    def of(cls, judged: JudgedSet, table: Path, gold: GoldRule | None) -> "CardSet":
        """The line of a judged set; ``table`` is the directory of its judgements."""
        of_kind = [one for one in read(table) if one.kind is judged.kind]
        failed = frozenset[str]() if gold is None else gold.failed(of_kind)
        of_set = [one for one in of_kind if one.dataset == judged.name]
        judgements = [one for one in of_set if one.annotator not in failed]
        (agreement,) = agreement_reports(
            judgements, {judged.name: dict(zip(judged.items, judged.originals, strict=True))}
        )
        return cls(
            judged.name,
            len(judged),
            len(judged.setting_names),
            len(judged.original_names),
            float(judged.majority.mean()),
            agreement,
            len({one.annotator for one in of_set} & failed),
        )

    @property
    def judgements(self) -> int:
        """The number of judgements of reconstructions that count."""
        return sum(one.recognised.of for one in self.agreement.annotators)

    @property
    def clean(self) -> Rate:
        """The share of clean originals that were given their class, by all annotators who count."""
        return Rate.together([one.clean for one in self.agreement.annotators])

    @property
    def noise(self) -> Rate:
        """The share of images of noise that were called unrecognizable."""
        return Rate.together([one.noise for one in self.agreement.annotators])


def write_card(
    training: MetricTraining, base: Path, trained: Path, out: Path, held_out: Path | None, selection: Path | None
) -> None:
    """Write ``README.md`` and ``reliability.png``.

    Args:
        training: the configuration.
        base: the directory of the configuration.
        trained: the directory of the training.
        out: gets the files.
        held_out: the directory of the measures on held-out settings, if any.
        selection: the directory of the comparison of recipes, if any.

    Raises:
        InvalidCheckpoint, InvalidAnnotations: a run is not finished.
    """
    report = TrainingReport.read(trained)
    if (trained / UsedInputs.FILE).exists():
        training = training.model_copy(update={"judged": training.judged.named(UsedInputs.read(trained).names)})
    kind = training.judged.kind
    environment = Environment(  # noqa: S701  # Markdown, from our own files
        loader=PackageLoader("semsim_training.metric", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "number": "{:.3f}".format,
        "alpha": _alpha,
        "rate": _rate,
        "result": _result,
    }
    text = environment.get_template("card.md").render(
        model=CheckpointDescription.read((trained / WEIGHTS).with_suffix(".json")),
        report=report,
        who=PLURALS[kind],
        who_one=f"a {kind.replace('_', ' ')}",
        sets=[_card_set(one, base, training.judged) for one in training.judged.sets],
        held_out=None if held_out is None else HeldOuts.read(held_out),
        selection=None if selection is None else read_selection(selection),
        because=training.because,
        gold=training.judged.gold,
        mild=MILD,
        draws=DRAWS,
        brier=", ".join(f"{name} {value:.4f}" for name, value in report.brier.items()),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "README.md").write_text(text.strip() + "\n")
    _draw_reliability(report, PLURALS[kind], out / "reliability.png")


def _card_set(source: JudgedSource, base: Path, sources: JudgedSources) -> CardSet:
    judged = source.read(base, sources.kind, sources.gold)
    return CardSet.of(judged, base / expanded(source.annotations), sources.gold)


def _draw_reliability(report: TrainingReport, who: str, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(4.6, 4.4), layout="constrained")
    axes = drawing.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="as predicted")
    largest = max(one.items for one in report.reliability)
    axes.scatter(
        [one.leakage for one in report.reliability],
        [one.share for one in report.reliability],
        s=[20 + 180 * one.items / largest for one in report.reliability],
        alpha=0.8,
        label=f"{report.split['test']} test reconstructions",
    )
    axes.axvline(report.threshold, color="tab:red", linewidth=1, linestyle="--", label="threshold")
    axes.set(
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="predicted leakage", ylabel=f"share of {who} who recognised",
        title=f"{report.calibration} calibration, judged by {who}",
    )  # fmt: skip
    axes.legend(loc="upper left", fontsize=8)
    FigureCanvasAgg(drawing).print_png(path, metadata={"Software": None})


def _figure(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _result(result: HeldOutResult) -> str:
    return f"{result.value:.3f} ({result.low:.3f} to {result.high:.3f})"


def _alpha(alpha: Alpha) -> str:
    if alpha.value is None:
        return "not defined"
    interval = "" if alpha.interval is None else f" ({alpha.interval.low:.2f} to {alpha.interval.high:.2f})"
    return f"{alpha.value:.2f}{interval}"


def _rate(rate: Rate) -> str:
    return f"{rate.count} of {rate.of}"
