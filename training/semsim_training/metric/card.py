"""The model card: everything that was measured of a training, in one page, with a picture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from semsim.manifest import HeldOutResult
from semsim_training.annotation.annotator_agreement import agreement
from semsim_training.annotation.items import ItemSet
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.configuration import expanded
from semsim_training.faithfulness.report import Figure
from semsim_training.metric.changes import MILD
from semsim_training.metric.experiment import WEIGHTS, TrainingReport
from semsim_training.metric.held_out_evaluation import DRAWS
from semsim_training.metric.hold_out import HeldOuts
from semsim_training.metric.judged import JudgedReconstructions, JudgedSet
from semsim_training.metric.metric_recipe import MetricTraining
from semsim_training.metric.recipe_selection import RecipeScore
from semsim_training.statistics.intervals import Rate
from semsim_training.statistics.krippendorff import Alpha

_WHO = {
    AnnotatorKind.PERSON: ("people", "a person"),
    AnnotatorKind.VISION_MODEL: ("vision models", "a vision model"),
    AnnotatorKind.CLASSIFIER: ("classifiers", "a classifier"),
}


@dataclass(frozen=True, slots=True)
class _Set:
    name: str
    items: int
    settings: int
    originals: int
    recognised: float


def write_card(
    training: MetricTraining, base: Path, trained: Path, out: Path, held_out: Path | None, selection: Path | None
) -> None:
    """Write ``README.md`` and ``reliability.png`` to ``out``, from the directories of the runs.

    Raises:
        InvalidCheckpoint, InvalidAnnotations: a run is not finished.
    """
    report = TrainingReport.read(trained)
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
        who=_WHO[kind][0],
        who_one=_WHO[kind][1],
        sets=[_set(one, training, base) for one in training.judged.sets],
        agreements=[
            found
            for one in training.judged.sets
            for found in agreement(
                [judgement for judgement in read(base / expanded(one.annotations)) if judgement.kind is kind],
                _originals(base / expanded(one.dataset)),
            )
        ],
        held_out=None if held_out is None else HeldOuts.read(held_out),
        selection=None if selection is None else _selection(selection),
        because=training.because,
        mild=MILD,
        draws=DRAWS,
        brier=", ".join(f"{name} {value:.4f}" for name, value in report.brier.items()),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "README.md").write_text(text.strip() + "\n")
    _draw_reliability(report, _WHO[kind][0], out / "reliability.png")


def _set(one: JudgedSet, training: MetricTraining, base: Path) -> _Set:
    alone = training.judged.model_copy(update={"sets": (one,)})
    judged = JudgedReconstructions.load(alone, base, training.resolved[0].size)
    return _Set(
        (base / expanded(one.dataset)).name,
        len(judged),
        len(judged.values("setting")),
        len(judged.values("image")),
        float(judged.majority.mean()),
    )


def _originals(dataset: Path) -> dict[str, dict[str, str]]:
    items = ItemSet.of(dataset)
    return {items.name: {item.identifier: item.image for item in items.items}}


def _selection(directory: Path) -> Sequence[RecipeScore]:
    return [RecipeScore.model_validate(one) for one in json.loads((directory / "selection.json").read_text())]


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
