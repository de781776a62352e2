"""``semsim faithfulness``: shows which metrics agree with annotators."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.main import EXIT_FAILED_PAIRS
from semsim.commands.options import Json, Model
from semsim_training.subcommands.page_tables import checked, told

if TYPE_CHECKING:
    from semsim_training.annotation.judgements import AnnotatorKind
    from semsim_training.faithfulness.report import FaithfulnessReport
    from semsim_training.judged.judged_set import JudgedSet

app = typer.Typer(no_args_is_help=True, help="Compare metrics with judgements, and with each other.")

Out = Annotated[Path, typer.Option(help="Directory for report.json, report.html and pictures.")]
Kind = Annotated[str, typer.Option(metavar="person|vision_model|classifier", help="Who judged.")]
Directions = Annotated[
    list[str] | None,
    typer.Option("--direction", metavar="NAME=up|down", help="A metric that is not known by name: up leaks more."),
]
DrawCount = Annotated[int, typer.Option("--draws", min=100, help="Draws of the bootstrap.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]
Source = Annotated[str, typer.Option(help="Origin and licence of the judgements, for the report.")]
Write = Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its <!-- NAME --> marks.")]
Qualified = Annotated[
    bool,
    typer.Option("--qualified", help="Leave out annotators who fail at gold items: 80% of clean ones, 90% of noise."),
]


@app.command("judgements", epilog="Example: semsim faithfulness judgements judgements.csv --kind person --out report")
def judgements(
    table: Annotated[
        Path, typer.Argument(help="A row for each reconstruction, with judgements and metrics, .csv or .parquet.")
    ],
    kind: Kind,
    out: Out,
    name: Annotated[str | None, typer.Option(help="Name of the study.", show_default="the file's")] = None,
    setting: Annotated[str, typer.Option(help="Column: the setting that made the reconstruction.")] = "setting",
    original: Annotated[str, typer.Option(help="Column: the original.")] = "image_id",
    label: Annotated[str, typer.Option(help="Column: the original's class.")] = "true_label",
    annotators: Annotated[str, typer.Option(help="Prefix of the columns of judgements.")] = "annotator_",
    metric: Annotated[
        list[str] | None, typer.Option(help="Column of a metric.", show_default="all of known direction")
    ] = None,
    direction: Directions = None,
    draws: DrawCount = 1000,
    seed: Seed = 0,
    source: Source = "",
    write: Write = None,
    as_json: Json = False,
) -> None:
    """Measure metrics by a table that holds their values and the judgements.

    Exit codes: 0 every row counts; 1 some rows were refused, each is told, and the others were measured; 2 refused.
    """
    from semsim_training.annotation.taken_judgements import told
    from semsim_training.faithfulness.directions import parse_directions
    from semsim_training.faithfulness.evaluate import evaluate
    from semsim_training.faithfulness.judgement_table import JudgementColumns, read_judgement_table

    columns = JudgementColumns(setting, original, label, annotators, tuple(metric or ()))
    read = read_judgement_table(table, _kind(kind), columns, parse_directions(direction or ()), name)
    if read.unused:
        typer.echo(f"not used: the columns {', '.join(read.unused)}", err=True)
    _finish(evaluate(read.study, draws=draws, seed=seed, source=source), out, write, as_json)
    if read.refused:
        typer.echo(f"{len(read.refused)} rows refused, which do not count: {told(read.refused)}", err=True)
        raise typer.Exit(EXIT_FAILED_PAIRS)


@app.command(
    "set", epilog="Example: semsim faithfulness set datasets/cifar10 --judgements judgements --kind person --out report"
)
def reconstruction_set(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    judgements: Annotated[Path, typer.Option(help="Directory of the table of judgements.")],
    kind: Kind,
    out: Out,
    split: Annotated[list[str] | None, typer.Option(help="train, validation or test.", show_default="all")] = None,
    qualified: Qualified = False,
    artifact: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DIR", help="A model artifact, whose distance is a metric.")
    ] = None,
    lpips: Annotated[Path | None, typer.Option(help="Weights of LPIPS v0.1, AlexNet, .safetensors.")] = None,
    lpips_0_1: Annotated[
        bool, typer.Option("--lpips-0-1", help="Beside it LPIPS of images in 0..1, as SemSim's paper had it.")
    ] = False,
    values: Annotated[
        Path | None, typer.Option(help="Parquet table of metric values: read where it exists, else written.")
    ] = None,
    fid: Annotated[Path | None, typer.Option(help="An FID or model artifact, to give FID of each setting.")] = None,
    images: Annotated[bool, typer.Option("--images", help="Show private originals in the report.")] = False,
    direction: Directions = None,
    draws: DrawCount = 1000,
    seed: Seed = 0,
    source: Source = "",
    write: Write = None,
    as_json: Json = False,
) -> None:
    """Measure metrics by a reconstruction set and the judgements of it; the metrics are computed."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim.fid.feature_extractor import feature_extractor
    from semsim_training.annotation.gold_rule import GoldRule
    from semsim_training.faithfulness.directions import parse_directions
    from semsim_training.faithfulness.evaluate import evaluate
    from semsim_training.faithfulness.set_distance import fid_by_setting
    from semsim_training.faithfulness.study import Study
    from semsim_training.faithfulness.values import Wanted
    from semsim_training.faithfulness.values_table import metrics_of
    from semsim_training.judged.judged_set import JudgedSet
    from semsim_training.judged.pair import pairs_of
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
    from semsim_training.reconstructions.schema import SPLITS
    from semsim_training.reference_metrics.lpips import InputRange

    strangers = sorted(set(split or ()) - set(SPLITS))
    if strangers:
        raise InvalidOption(f"expected --split {', '.join(SPLITS)}, got {strangers[0]}")
    if lpips_0_1 and lpips is None:
        raise InvalidOption("expected --lpips with --lpips-0-1, got no weights")
    annotators, directions = _kind(kind), parse_directions(direction or ())
    wanted = Wanted(_artifacts(artifact or []), lpips, tuple(InputRange) if lpips_0_1 else (InputRange.PUBLISHED,))
    reconstructions = ReconstructionSet.read(dataset)
    gold = GoldRule() if qualified else None
    judged = JudgedSet.read(reconstructions, judgements, annotators, gold).of_splits(split or SPLITS)
    with progress_bar() as show:
        metrics = metrics_of(
            judged.name, judged.pairs, wanted,
            table=values, everything=pairs_of(reconstructions), directions=directions, progress=show,
        )  # fmt: skip
        distances = None if fid is None else fid_by_setting(judged, feature_extractor(fid), show)
    if distances is not None and distances.rank_deficient:
        typer.echo(
            f"FID: {len(distances.rank_deficient)} of {len(distances.settings)} settings have no more images than the "
            f"{distances.dimension} dimensions of the features, which biases it upwards",
            err=True,
        )
    report = evaluate(Study(judged, metrics), draws=draws, seed=seed, source=source, fid=distances)
    _finish(report, out, write, as_json, judged if images else None)


def _kind(name: str) -> "AnnotatorKind":
    from semsim.exceptions import InvalidOption
    from semsim_training.annotation.judgements import AnnotatorKind

    if name not in set(AnnotatorKind):
        raise InvalidOption(f"expected --kind {', '.join(AnnotatorKind)}, got {name}")
    return AnnotatorKind(name)


def _artifacts(options: list[str]) -> dict[str, Path]:
    from semsim.exceptions import InvalidOption

    artifacts: dict[str, Path] = {}
    for option in options:
        name, _, directory = option.partition("=")
        if not name or not directory or name in artifacts:
            raise InvalidOption(f"expected --artifact NAME=DIR with a name of its own, got {option}")
        artifacts[name] = Path(directory)
    return artifacts


def _finish(
    report: "FaithfulnessReport", out: Path, write: Path | None, as_json: bool, shown: "JudgedSet | None" = None
) -> None:
    from semsim_training.faithfulness.publish import publish
    from semsim_training.faithfulness.tables import markdown, terminal_table
    from semsim_training.markdown import write_between

    publish(report, out, shown)
    if write is not None:
        write_between(write, report.name, markdown(report))
    typer.echo(report.model_dump_json(indent=1) if as_json else f"{terminal_table(report)}\n{out / 'report.html'}")


@app.command("stand-ins", epilog="Example: semsim faithfulness stand-ins texture_shape.parquet")
def stand_ins(
    table: Annotated[
        Path,
        typer.Argument(help="A row for each picture: kind, class, answers of people and of lookers, .parquet."),
    ],
    write: Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its marks.")] = None,
) -> None:
    """How well vision models predict which pictures people recognise, beside how well other people predict it."""
    from semsim_training.faithfulness.stand_ins import read_stand_ins, stand_ins_table

    checked(write, "stand-ins")
    text = stand_ins_table(read_stand_ins(table))
    told(text, write, "stand-ins")


@app.command(
    "identified",
    epilog="Example: semsim faithfulness identified datasets/cifar10 --judgements datasets/vision-models --faces faces",
)
def identified(
    sets: Annotated[list[Path], typer.Argument(help="Reconstruction sets, whose test split is measured.")],
    judgements: Annotated[Path, typer.Option(help="Table of judgements by vision models.")],
    faces: Annotated[Path, typer.Option(help="Folder of photographs of faces, such as Caltech-101's Faces.")],
    qualified: Qualified = False,
    model: Model = None,
    write: Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its marks.")] = None,
) -> None:
    """Measure which pairs are identified: copies and strangers of one kind, and reconstructions by what lookers saw."""
    from semsim.scorer import Scorer
    from semsim_training.annotation.gold_rule import GoldRule
    from semsim_training.annotation.judgements import AnnotatorKind
    from semsim_training.faithfulness.identified_pictures import identified_table, measure_faces, measure_judged
    from semsim_training.judged.judged_set import JudgedSet
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

    checked(write, "identified")
    scorer = Scorer(model)
    shares, gold = measure_faces(scorer, faces), GoldRule() if qualified else None
    for path in sets:
        whole = JudgedSet.read(ReconstructionSet.read(path), judgements, AnnotatorKind.VISION_MODEL, gold)
        shares += measure_judged(scorer, whole.of_splits(("test",)))
    text = identified_table(shares)
    told(text, write, "identified")


@app.command(
    "copies", epilog="Example: semsim faithfulness copies copies/cifar10-many --judgements datasets/vision-models"
)
def copies(
    sets: Annotated[list[Path], typer.Argument(help="Sets of `semsim annotate copies`.")],
    judgements: Annotated[Path, typer.Option(help="Table of judgements by vision models.")],
    qualified: Qualified = False,
    model: Model = None,
    write: Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its marks.")] = None,
) -> None:
    """Compare what annotators and a model make of simply changed copies of originals."""
    from semsim.scorer import Scorer
    from semsim_training.annotation.gold_rule import GoldRule
    from semsim_training.annotation.judgements import AnnotatorKind
    from semsim_training.judged.judged_set import JudgedSet
    from semsim_training.metric.changed_copies import judged_changes_table
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

    checked(write, "copies")
    gold = GoldRule() if qualified else None
    judged = [
        JudgedSet.read(ReconstructionSet.read(path), judgements, AnnotatorKind.VISION_MODEL, gold) for path in sets
    ]
    text = judged_changes_table(judged, Scorer(model))
    told(text, write, "copies")


@app.command("inputs", epilog="Example: semsim faithfulness inputs configs/metric/default.yaml --faces faces")
def inputs(
    config: Annotated[Path, typer.Argument(help="Judged sets and recipes, YAML, as `semsim train` takes it.")],
    faces: Annotated[Path, typer.Option(help="Folder of photographs of faces, such as Caltech-101's Faces.")],
    size: Annotated[
        list[int] | None, typer.Option(min=16, max=512, help="Side of the input.", show_default="32, 64, 96")
    ] = None,
    write: Write = None,
) -> None:
    """Measure what a small input loses of larger pictures, with the untouched network of the first recipe."""
    from semsim_training.metric.input_sizes import Faces, input_sizes_table, measure_input_size
    from semsim_training.metric.metric_recipe import MetricTraining

    checked(write, "inputs")
    training, base = MetricTraining.read(config), config.parent
    sources, left_out = training.judged.finished(base)
    for name, reason in left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    judged, pictures = sources.read(base).of_splits(("validation",)), Faces.read(faces)
    sizes = [measure_input_size(training.chosen, side, judged, pictures, base) for side in size or (32, 64, 96)]
    told(input_sizes_table(sizes), write, "inputs")


@app.command("one-more", epilog="Example: semsim faithfulness one-more configs/metric/default.yaml")
def one_more(
    config: Annotated[Path, typer.Argument(help="Judged sets, YAML, as `semsim train` takes it.")],
    model: Model = None,
    write: Write = None,
) -> None:
    """Measure how far one more annotator agrees with the others, beside a model and SSIM: what a metric could reach."""
    from semsim.artifact import default_artifact
    from semsim.commands.progress_bar import progress_bar
    from semsim_training.faithfulness.values import Wanted, compute_metrics
    from semsim_training.metric.metric_recipe import MetricTraining
    from semsim_training.metric.one_more_annotator import one_more_annotator_table

    checked(write, "one-more")
    sources, left_out = MetricTraining.read(config).judged.finished(config.parent)
    for name, reason in left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    judged = sources.read(config.parent).of_splits(("test",))
    with progress_bar() as show:
        metrics = compute_metrics(judged.pairs, Wanted({"semsim": model or default_artifact()}), show)
    told(one_more_annotator_table(judged, [metrics[-1], metrics[-2]]), write, "one-more")
