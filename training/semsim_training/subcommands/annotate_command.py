"""``semsim annotate``: collects judgements of reconstructions, and compares them."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.options import Json
from semsim_training.subcommands import label_studio_command
from semsim_training.subcommands.annotation_options import Limit, Noise, Split, splits
from semsim_training.subcommands.judgement_import import take_in
from semsim_training.subcommands.page_tables import checked, told

if TYPE_CHECKING:
    from semsim_training.annotation.judgements import AnnotatorKind

app = typer.Typer(no_args_is_help=True, help="Collect and compare judgements of reconstructions.")
app.add_typer(label_studio_command.app, name="label-studio")

Kind = Annotated[
    str | None, typer.Option(metavar="person|vision_model", help="Who answered.", show_default="as the key says")
]
Share = Annotated[float, typer.Option(min=0.0, max=0.5, help="Share of places that show it.")]


@app.command("run", epilog="Example: semsim annotate run datasets/cifar10 judgements --recognisers build/recognisers")
def run(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
    recognisers: Annotated[Path, typer.Option(help="Directory of recognisers; those of this set's classes judge.")],
    annotator: Annotated[str, typer.Option(metavar="classifier", help="The kind of annotator.")] = "classifier",
    floor: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least confidence of a class.")] = 0.5,
    noise: Noise = 50,
) -> None:
    """Let classifiers judge the originals of a set, and the reconstructions of those that they recognise.

    Their judgements are recorded as a classifier's.
    """
    from semsim.exceptions import InvalidOption
    from semsim_training.annotation.items import ItemSet
    from semsim_training.annotation.judgements import append
    from semsim_training.recognition.classifier_annotator import judge, load_recognisers

    if annotator != "classifier":
        raise InvalidOption(
            f"expected --annotator classifier, got {annotator}: people judge by `semsim annotate serve`"
        )
    item_set = ItemSet.read(dataset)
    gold = item_set.gold(len(set(item_set.originals.values())), noise, seed=0)
    judgements = [
        judgement
        for recogniser in load_recognisers(recognisers, item_set)
        for judgement in judge(item_set, gold, recogniser, floor)
    ]
    append(table, judgements)
    names = sorted({judgement.annotator for judgement in judgements})
    typer.echo(f"{table}: {len(judgements)} judgements by the classifiers {', '.join(names)} added")


@app.command(
    "sheets",
    epilog="Example: semsim annotate sheets datasets/cifar10 handout/ada --annotator ada --split test --kind person",
)
def sheets(
    dataset: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="Finished reconstruction sets.")],
    out: Annotated[Path, typer.Argument(help="New directory, to be handed to the annotator.")],
    annotator: Annotated[str, typer.Option(help="Pseudonym; with --meetings the beginning of all pseudonyms.")],
    seed: Annotated[int, typer.Option(help="Seed of the choice of items and of their order.")] = 0,
    kind: Annotated[
        str | None, typer.Option(metavar="person|vision_model", help="Who will answer.", show_default="said at import")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="File for the key, with --meetings a directory for the keys; outside OUT.",
            show_default="OUT/../ANNOTATOR.key.json, with --meetings OUT.keys",
        ),
    ] = None,
    split: Split = None,
    limit: Limit = None,
    clean: Annotated[int, typer.Option(min=0, help="Gold: clean originals, shown after their reconstructions.")] = 10,
    noise: Noise = 5,
    repeats: Annotated[int, typer.Option(min=0, help="Number of reconstructions shown twice, sheets apart.")] = 20,
    tile: Annotated[int, typer.Option(help="Side of a tile, pixels.")] = 128,
    columns: Annotated[int, typer.Option(help="Tiles side by side.")] = 6,
    rows: Annotated[int, typer.Option(help="Rows of tiles on a sheet.")] = 5,
    smooth: Annotated[bool, typer.Option("--smooth", help="Enlarge bicubically, not by repeating pixels.")] = False,
    other: Annotated[
        list[str] | None, typer.Option(help="Class that no original has, offered beside theirs.", show_default="none")
    ] = None,
    meetings: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Deal the sets to as many annotators as it takes that none meets an original more often, each its "
            "farthest reconstruction first; a directory in OUT for each.",
            show_default="one annotator, one set",
        ),
    ] = None,
    annotators: Annotated[int, typer.Option(min=1, help="Dealt: annotators of each reconstruction.")] = 3,
    largest: Annotated[int, typer.Option(min=1, help="Dealt: the largest number of sheets of an annotator.")] = 28,
    artifact: Annotated[
        Path | None, typer.Option(help="Dealt: the model that says how far.", show_default="the bundled one")
    ] = None,
) -> None:
    """Draw blind contact sheets, with instructions and a form for the answers: for one annotator, or dealt to many."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim.scorer import Scorer
    from semsim_training.annotation.sheets.contact_sheets import SheetRequest, make_sheets
    from semsim_training.annotation.sheets.dealt_sheets import DealRequest, deal_sheets
    from semsim_training.annotation.sheets.sheet_image import SheetLayout

    layout = SheetLayout(tile, columns, rows, smooth)
    request = SheetRequest(
        annotator, seed, _kind(kind), splits(split), limit, clean, noise, repeats, layout, tuple(other or ())
    )
    if meetings is not None:
        keys = key or out.resolve().with_name(f"{out.resolve().name}.keys")
        dealt = DealRequest(request, annotators, meetings, largest)
        with progress_bar() as show:
            handed = deal_sheets(dataset, out, keys, dealt, Scorer(artifact), show)
        tiles = sum(len(one.tiles) for one in handed)
        typer.echo(f"{out}: {tiles} tiles for {len(handed)} annotators, a directory each; keys in {keys}")
        return
    if len(dataset) > 1:
        raise InvalidOption(f"expected one set, or --meetings to deal several, got {len(dataset)}")
    key_path = key or out.resolve().parent / f"{annotator}.key.json"
    made = make_sheets(dataset[0], out, key_path, request)
    typer.echo(f"{out}: {len(made.tiles)} tiles on {len(made.sheets)} sheets; key at {key_path}")


@app.command("copies", epilog="Example: semsim annotate copies datasets/cifar10-many copies/cifar10-many")
def copies(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set, whose test originals are copied.")],
    out: Annotated[
        Path, typer.Argument(help="New directory for the set of copies: it shows originals, keep it private.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Number of originals.")] = 30,
) -> None:
    """Make a set of simply changed copies of originals, to be judged on contact sheets as reconstructions are."""
    from semsim_training.metric.changed_copies import write_changed_copies

    made = write_changed_copies(dataset, out, count)
    typer.echo(f"{out}: {made.rows} copies of {count} originals, called {made.name}")


@app.command("import", epilog="Example: semsim annotate import handout/ada.key.json ada-answers.json judgements")
def import_answers(
    key: Annotated[Path, typer.Argument(help="The key of the contact sheets.")],
    answers: Annotated[Path, typer.Argument(help="JSON: tile number to class, its index, or -1.")],
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
    kind: Kind = None,
) -> None:
    """Add the answers to contact sheets that the table of judgements does not have yet.

    Exit codes: 0 all are in the table; 1 some were refused, each is told, and the others are in the table; 2 refused.
    """
    from semsim_training.annotation.keys import SheetKey
    from semsim_training.annotation.sheets.sheet_answers import read_answers

    take_in(table, read_answers(SheetKey.read(key), answers, _kind(kind)))


@app.command("agreement", epilog="Example: semsim annotate agreement judgements --dataset datasets/cifar10")
def agreement(
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
    dataset: Annotated[
        list[Path] | None, typer.Option(help="Judged sets: the bootstrap then draws their originals instead of items.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    qualified: Annotated[
        bool,
        typer.Option("--qualified", help="Leave out those who fail at gold items: 80% of clean ones, 90% of noise."),
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help="Markdown file, to write a table of the judged sets between its marks.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print how far annotators agree with each other, with gold items and with themselves; each kind apart."""
    import json
    from dataclasses import asdict

    from semsim.exceptions import InvalidAnnotations
    from semsim_training.annotation.agreement_table import agreement_markdown, agreement_table
    from semsim_training.annotation.annotator_agreement import agreement_reports
    from semsim_training.annotation.gold_rule import GoldRule
    from semsim_training.annotation.items import ItemSet
    from semsim_training.annotation.judgements import read

    checked(write, "agreement")
    judgements = read(table)
    if not judgements:
        raise InvalidAnnotations(f"expected judgements in {table}, got none")
    failed = GoldRule().failed(judgements) if qualified else frozenset[str]()
    judgements = tuple(one for one in judgements if one.annotator not in failed)
    originals = {one.name: one.originals for one in map(ItemSet.read, dataset or ())}
    reports = agreement_reports(judgements, originals, draws=draws, seed=seed)
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in reports], indent=2))
    elif write is not None:
        named = [report for report in reports if report.dataset in originals or not originals]
        told(agreement_markdown(named), write, "agreement")
    else:
        typer.echo(agreement_table(reports))


@app.command(
    "clearer-copies", epilog="Example: semsim annotate clearer-copies datasets/vision-models --dataset datasets/cifar10"
)
def clearer_copies(
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
    dataset: Annotated[list[Path], typer.Option(help="The judged sets.")],
    write: Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its marks.")] = None,
) -> None:
    """How far annotators of dealt sheets know a reconstruction again by a clearer one of the same original."""
    from semsim_training.annotation.clearer_copies import ClearerCopies
    from semsim_training.annotation.items import ItemSet
    from semsim_training.annotation.judgements import read

    checked(write, "clearer-copies")
    originals = {one.name: one.originals for one in map(ItemSet.read, dataset)}
    text = ClearerCopies.of(read(table), originals).markdown()
    told(text, write, "clearer-copies")


@app.command("serve", epilog="Example: semsim annotate serve datasets/cifar10")
def serve(
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="Finished reconstruction sets.")],
    database: Annotated[
        Path | None,
        typer.Option(help="SQLite file of the study.", show_default="DATASET/annotations/page.sqlite"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    split: Split = None,
    annotators: Annotated[int, typer.Option(min=1, help="Annotators of each reconstruction.")] = 5,
    clean: Share = 0.05,
    noise: Share = 0.05,
    repeats: Share = 0.05,
    practice: Annotated[int, typer.Option(min=0, help="Images with feedback before the first that counts.")] = 6,
    meetings: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The most reconstructions of an original that an annotator is shown, each nearer than those before.",
            show_default="no limit",
        ),
    ] = None,
    artifact: Annotated[
        Path | None, typer.Option(help="With --meetings: the model that says how far.", show_default="the bundled one")
    ] = None,
    lease: Annotated[float, typer.Option(min=0.1, help="Minutes that an image is kept for an annotator.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of every order and every gold item.")] = 0,
) -> None:
    """Serve the annotation page until interrupted. A later start with the same database goes on."""
    from semsim.scorer import Scorer
    from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
    from semsim_training.annotation.page.server import serve as listen
    from semsim_training.annotation.page.study_database import StudyDatabase
    from semsim_training.annotation.page.web_app import create_app

    settings = StudySettings(
        annotators=annotators, clean=clean, noise=noise, repeats=repeats, meetings=meetings, practice=practice,
        lease_seconds=60 * lease, seed=seed,
    )  # fmt: skip
    scorer = None if meetings is None else Scorer(artifact)
    study = AnnotationStudy.read(datasets, settings, splits(split), scorer)
    path = database or datasets[0] / "annotations" / "page.sqlite"
    about = f"{len(study.reconstructions)} reconstructions, {annotators} annotators each, kept in {path}"
    with closing(StudyDatabase.for_study(path, study)) as opened:
        listen(create_app(study, opened), host, port, lambda url: typer.echo(f"{url}  ({about})"))


@app.command("collect", epilog="Example: semsim annotate collect datasets/cifar10/annotations/page.sqlite judgements")
def collect(
    database: Annotated[Path, typer.Argument(help="SQLite file of `semsim annotate serve`, which may be running.")],
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
) -> None:
    """Append the page's judgements to a table. Those that it holds already are left alone."""
    from semsim_training.annotation.page.collect import collect as collect_from
    from semsim_training.annotation.page.study_database import StudyDatabase

    with closing(StudyDatabase.existing(database)) as opened:
        typer.echo(f"{table}: {collect_from(opened, table)} judgements added")


def _kind(name: str | None) -> "AnnotatorKind | None":
    from semsim.exceptions import InvalidOption
    from semsim_training.annotation.judgements import AnnotatorKind

    if name not in (None, AnnotatorKind.PERSON, AnnotatorKind.VISION_MODEL):
        raise InvalidOption(f"expected --kind person or vision_model, got {name}")
    return None if name is None else AnnotatorKind(name)
