"""``semsim score-dir``: two directories of images."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.main import EXIT_FAILED_PAIRS, EXIT_LEAKS, EXIT_REFUSED
from semsim.commands.options import FailAbove, Json, Model, Require, load_scorer

if TYPE_CHECKING:
    from semsim.bulk.matching import Matching
    from semsim.bulk.rows import ScoreRow
    from semsim.bulk.run import Progress
    from semsim.summary import Summary

app = typer.Typer()

_EXIT_INTERRUPTED = 130
_SHOWN = 10


@app.command()
def score_dir(
    originals: Annotated[Path, typer.Argument(help="Directory of the clients' images.")],
    reconstructions: Annotated[Path, typer.Argument(help="Directory of what the attack made.")],
    match: Annotated[
        str,
        typer.Option(
            metavar="name|index|best|assignment",
            help="name: same path without suffix, or a directory of that name; index: i-th with i-th; "
            "best: each original with its closest reconstruction; assignment: one to one, least total distance.",
        ),
    ] = "name",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Table to write: .parquet, .csv or .json.")
    ] = None,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="Go on when a reconstruction has no original.")
    ] = False,
    model: Model = None,
    require: Require = None,
    fail_above: FailAbove = None,
    as_json: Json = False,
) -> None:
    """Score a directory of originals against a directory of reconstructions.

    With -o, an interrupted run goes on where it stopped when it is called again.
    """
    from semsim.bulk.journal import Journal
    from semsim.bulk.matching import Match
    from semsim.bulk.rows import TableFormat, report, write_table
    from semsim.bulk.run import Directories, match_directories, score_matching
    from semsim.exceptions import InvalidOption
    from semsim.images import DecodeLimits
    from semsim.summary import summarize

    if match not in set(Match):
        raise InvalidOption(f"expected --match to be one of {', '.join(Match)}, got {match}")
    if output is not None:
        TableFormat.of(output)
        if not output.absolute().parent.is_dir():
            raise InvalidOption(f"expected an output file in an existing directory, got {output}")
    scorer = load_scorer(model, require, fail_above)
    manifest, where, limits = scorer.manifest, Directories(originals, reconstructions), DecodeLimits()
    journal = None
    rows: list[ScoreRow] = []
    try:
        with _progress() as progress:
            matching, unreadable = match_directories(scorer, where, Match(match), limits, progress)
            _warn_unmatched(matching, allow_unmatched)
            if output is not None:
                header = {
                    "model": manifest.graph.sha256,
                    "originals": str(originals.absolute()),
                    "reconstructions": str(reconstructions.absolute()),
                }
                journal = Journal(output.with_name(output.name + ".partial.jsonl"), header)
            rows.extend(score_matching(scorer, where, matching.pairs, limits, journal, progress))
    except KeyboardInterrupt:
        kept = "nothing was written" if journal is None else f"call again to go on; so far in {journal.path}"
        typer.echo(f"interrupted: {kept}", err=True)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    rows += unreadable
    summary = summarize((row.result() for row in rows), calibrated=manifest.calibration is not None)
    if output is not None:
        write_table(output, rows, manifest, summary)
    if journal is not None:
        journal.remove()
    if as_json:
        typer.echo(json.dumps(report(rows, manifest, summary), indent=2, allow_nan=False))
    else:
        _print(rows, summary, output)
    if fail_above is not None and summary.max_leakage is not None and summary.max_leakage > fail_above:
        raise typer.Exit(EXIT_LEAKS)
    if summary.failed:
        raise typer.Exit(EXIT_FAILED_PAIRS)


@contextmanager
def _progress() -> Iterator["Progress"]:
    """A progress bar on stderr, in a terminal; silence elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, int] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)  # type: ignore[arg-type]  # TaskID is a NewType of int

        yield show


def _warn_unmatched(matching: "Matching", allowed: bool) -> None:
    """An original that was not attacked is normal; a reconstruction of nothing makes a leakage gate blind."""
    if matching.lone_originals:
        typer.echo(f"{_listed(matching.lone_originals)} without a reconstruction", err=True)
    if matching.lone_reconstructions:
        typer.echo(f"{_listed(matching.lone_reconstructions)} without an original", err=True)
        if not allowed:
            typer.echo("error [unmatched_images]: give --allow-unmatched to score the others", err=True)
            raise typer.Exit(EXIT_REFUSED)


def _listed(paths: tuple[Path, ...]) -> str:
    names = ", ".join(path.as_posix() for path in paths[:3])
    return f"{len(paths)} images ({names}{', ...' if len(paths) > 3 else ''})"


def _print(rows: "list[ScoreRow]", summary: "Summary", output: Path | None) -> None:
    scored = sorted((row for row in rows if row.distance is not None), key=lambda row: row.distance or 0.0)
    typer.echo(f"{'distance':>9} {'leakage':>8} {'psnr':>7} {'ssim':>7}  original -> reconstruction")
    for row in scored[:_SHOWN]:
        leakage = "-" if row.leakage is None else f"{row.leakage:.3f}"
        typer.echo(
            f"{row.distance:>9.4f} {leakage:>8} {row.psnr:>7.2f} {row.ssim:>7.4f}  "
            f"{row.original} -> {row.reconstruction}"
        )
    if len(scored) > _SHOWN:
        typer.echo(f"... and {len(scored) - _SHOWN} more, less close")
    for row in rows:
        if row.error_code is not None:
            typer.echo(f"not scored: {row.original} -> {row.reconstruction}: {row.error_message}", err=True)
    typer.echo(f"{summary.pairs} pairs, {summary.failed} not scored" + ("" if output is None else f"; table in {output}"))
    if summary.max_leakage is not None:
        typer.echo(f"leakage: max {summary.max_leakage:.3f}, mean {summary.mean_leakage:.3f}, "
                   f"recognizable {summary.recognizable}")
