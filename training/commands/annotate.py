"""``semsim annotate``: who recognises what."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Collect and compare judgements of reconstructions.")

Share = Annotated[float, typer.Option(min=0.0, max=0.5, help="Share of places that show this.")]


@app.callback()
def _annotate() -> None:
    """Keeps the name of a sub-command needed, however many there are."""


@app.command("serve")
def serve(
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="Finished reconstruction sets.")],
    database: Annotated[
        Path | None, typer.Option(help="SQLite file of the study.", show_default="DATASET/annotations/page.sqlite")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    splits: Annotated[str, typer.Option(help="Splits to judge, such as validation,test.")] = "train,validation,test",
    annotators: Annotated[int, typer.Option(min=1, help="How many judge each reconstruction.")] = 5,
    clean: Share = 0.05,
    noise: Share = 0.05,
    repeats: Share = 0.05,
    practice: Annotated[int, typer.Option(min=0, help="Images with feedback before the first that counts.")] = 6,
    lease: Annotated[float, typer.Option(min=0.1, help="Minutes that an image is kept for an annotator.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of every order and every gold item.")] = 0,
) -> None:
    """Serve the annotation page until interrupted; a later start with the same database goes on."""
    from training.annotation.page.app import create_app
    from training.annotation.page.database import Database
    from training.annotation.page.server import serve as listen
    from training.annotation.page.study import Settings, Study

    settings = Settings(
        annotators=annotators, clean=clean, noise=noise, repeats=repeats, practice=practice,
        lease_seconds=60 * lease, seed=seed,
    )  # fmt: skip
    study = Study.of(datasets, settings, [split.strip() for split in splits.split(",")])
    path = database or datasets[0] / "annotations" / "page.sqlite"
    shown = f"{len(study.reconstructions)} reconstructions, {annotators} annotators each, kept in {path}"
    with closing(Database.for_study(path, study)) as kept:
        listen(create_app(study, kept), host, port, lambda url: typer.echo(f"{url}  ({shown})"))


@app.command("collect")
def collect(
    database: Annotated[Path, typer.Argument(help="SQLite file of `semsim annotate serve`; it may be running.")],
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
) -> None:
    """Append the page's judgements to a table; what is in it already is left alone."""
    from training.annotation.page.collect import collect as collect_from
    from training.annotation.page.database import Database

    with closing(Database.existing(database)) as kept:
        typer.echo(f"{table}: {collect_from(kept, table)} judgements added")
