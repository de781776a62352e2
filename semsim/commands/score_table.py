"""The command ``semsim score-table``: it scores Parquet files or WebDataset shards of pairs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.control_options import NoControls, OwnControls
from semsim.commands.main import EXIT_INTERRUPTED
from semsim.commands.options import (
    EngineName,
    FailAbove,
    Json,
    LpipsDirectory,
    Model,
    Require,
    Workers,
    engine_of,
    exit_code,
    load_scorer,
)
from semsim.commands.progress_bar import progress_bar

if TYPE_CHECKING:
    from semsim.bulk.pair_tables.table_manifest import TableManifest

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim score-table pairs.parquet scores.parquet")
def score_table(
    table: Annotated[
        str, typer.Argument(help="A .parquet file or .tar shard, or a folder of them; a path, s3:// or gs://.")
    ],
    output: Annotated[str, typer.Argument(help="Folder for the scored table; a path, s3:// or gs://.")],
    original: Annotated[
        str, typer.Option("--original", help="Column of the originals; in shards KEY.NAME.png, or the extension.")
    ] = "original",
    reconstruction: Annotated[
        str, typer.Option("--reconstruction", help="The same of the reconstructions.")
    ] = "reconstruction",
    id: Annotated[str, typer.Option("--id", help="Column that names the pairs, if it is there.")] = "id",
    part_pairs: Annotated[int, typer.Option("--part-pairs", min=1, help="Most pairs of a part.")] = 4096,
    engine: EngineName = "processes",
    workers: Workers = None,
    allow_skipped: Annotated[
        bool, typer.Option("--allow-skipped", help="Exit 0 although files are skipped that may hold images.")
    ] = False,
    model: Model = None,
    require: Require = None,
    controls: OwnControls = None,
    no_controls: NoControls = False,
    lpips: LpipsDirectory = None,
    fail_above: FailAbove = None,
    as_json: Json = False,
) -> None:
    """Score a table of pairs, of any size, into a folder of Parquet files with a manifest.

    A run that was interrupted goes on where it stopped when it is called again, with one row a pair; parts in which
    something could not be read are tried again.

    Exit codes: 0 every pair was scored; 3 a leakage is above --fail-above; 1 a pair was not scored, a file was skipped,
    or with --fail-above nothing can be told of a pair; 2 refused, or the workers died; 130 interrupted.
    """
    from semsim.bulk.pair_tables import table_run
    from semsim.bulk.pair_tables.location import Location
    from semsim.bulk.pair_tables.read_pair import PairNames
    from semsim.exceptions import InvalidOption, WorkerLost
    from semsim.memory import keep_freed_memory

    chosen = engine_of(engine, workers)
    source, target = Location.of(table), Location.of(output)
    if target.is_within(source):
        raise InvalidOption(f"expected a place outside of {table}, where the next run would read it, got {output}")
    keep_freed_memory()
    scorer = load_scorer(model, require, fail_above, own_controls=controls, no_controls=no_controls, lpips=lpips)
    try:
        with progress_bar() as progress:
            scored = table_run.score_table(
                scorer,
                source,
                target,
                PairNames(original, reconstruction, id),
                part_pairs=part_pairs,
                fail_above=fail_above,
                engine=chosen,
                workers=workers,
                progress=progress,
            )
    except KeyboardInterrupt:
        typer.echo("interrupted: call again to go on", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except WorkerLost:
        typer.echo("the workers ended the run: call again to go on", err=True)
        raise
    _tell(scored, output, as_json=as_json)
    raise typer.Exit(exit_code(scored.summary, fail_above, scored.skipped * (not allow_skipped)))


def _tell(scored: "TableManifest", output: str, *, as_json: bool) -> None:
    summary = scored.summary
    for file in scored.run.skipped_files[:3]:
        typer.echo(f"skipped: {file.path}", err=True)
    errors = [f"{count} {code}" for code, count in scored.errors.most_common()]
    if errors:
        typer.echo(f"not scored: {', '.join(errors)}", err=True)
    if as_json:
        report = {
            "model": {"name": scored.run.model, "version": scored.run.model_version},
            "parts": len(scored.parts),
            "summary": asdict(summary) | {"skipped": scored.skipped},
            "errors": scored.errors,
        }
        typer.echo(json.dumps(report, indent=2, allow_nan=False))
        return
    typer.echo(
        f"{summary.pairs} pairs in {len(scored.parts)} parts, {summary.failed} not scored, {summary.uninformative} "
        f"that nothing can be told of, {scored.skipped} files skipped; table in {output}"
    )
    if summary.max_leakage is not None:
        typer.echo(
            f"leakage: max {summary.max_leakage:.3f}, mean {summary.mean_leakage:.3f}, "
            f"recognizable {summary.recognizable}"
        )
    if summary.identified is not None:
        typer.echo(f"identified beside public images: {summary.identified}")
    if not all(part.is_done for part in scored.parts):
        typer.echo("some could not be read, or met a fault: call again to try these parts alone", err=True)
