"""The command ``semsim score-table``: it scores Parquet files or WebDataset shards of pairs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semsim.commands.control_options import NoControls, OwnControls
from semsim.commands.gate_options import FailShare, GitHub, close_gate, gate_report, in_words, limits_beside, limits_of
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
    load_scorer,
)
from semsim.commands.progress_bar import progress_bar

if TYPE_CHECKING:
    from semsim.bulk.pair_tables.table_manifest import TableManifest

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim score-table pairs.parquet scores --fail-above threshold")
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
    fail_share: FailShare = None,
    github: GitHub = None,
    as_json: Json = False,
) -> None:
    """Score a table of pairs, of any size, into a folder of Parquet files with a manifest.

    A run that was interrupted goes on where it stopped when it is called again, with one row a pair; parts in which
    something could not be read are tried again.

    It has no --baseline and no --junit, as semsim score-dir has, since these name each pair, and a table may have more
    pairs than a report or a memory holds. Compare the tables of two runs by their ids instead.

    Exit codes: 0 every pair was scored; 3 more pairs than --fail-share are above --fail-above; 1 a pair was not scored,
    a file was skipped, or with --fail-above nothing can be told of a pair; 2 refused, or the workers died; 130
    interrupted.
    """
    from semsim.bulk.pair_tables import table_run
    from semsim.bulk.pair_tables.location import Location
    from semsim.bulk.pair_tables.read_pair import PairNames
    from semsim.exceptions import InvalidOption, WorkerLost
    from semsim.memory import keep_freed_memory

    chosen = engine_of(engine, workers)
    limits = limits_of(fail_above, fail_share, None, None, ())
    source, target = Location.of(table), Location.of(output)
    if target.is_within(source):
        raise InvalidOption(f"expected a place outside of {table}, where the next run would read it, got {output}")
    keep_freed_memory()
    scorer = load_scorer(model, require, fail_above, own_controls=controls, no_controls=no_controls, lpips=lpips)
    limits = limits_beside(limits, fail_above, scorer.manifest)
    try:
        with progress_bar() as progress:
            scored = table_run.score_table(
                scorer,
                source,
                target,
                PairNames(original, reconstruction, id),
                part_pairs=part_pairs,
                fail_above=limits.above,
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
    outcome = scored.gate(limits)
    missing = in_words(
        {
            "not scored": scored.summary.failed,
            "that nothing can be told of": scored.summary.uninformative * limits.is_gate,
            "skipped": scored.skipped * (not allow_skipped),
        }
    )
    _tell(scored, output, gate_report(outcome, limits, missing) if as_json else None)
    raise typer.Exit(close_gate(outcome, (), missing, command="score-table", junit=None, github=github, err=as_json))


def _tell(scored: "TableManifest", output: str, gate: dict[str, Any] | None) -> None:
    """Print the totals, as JSON with the outcome of the gate where there is one to tell."""
    summary = scored.summary
    for file in scored.run.skipped_files[:3]:
        typer.echo(f"skipped: {file.path}", err=True)
    errors = [f"{count} {code}" for code, count in scored.errors.most_common()]
    if errors:
        typer.echo(f"not scored: {', '.join(errors)}", err=True)
    if gate is not None:
        report = {
            "model": {"name": scored.run.model, "version": scored.run.model_version},
            "parts": len(scored.parts),
            "summary": asdict(summary) | {"skipped": scored.skipped},
            "errors": scored.errors,
            **gate,
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
