"""The command ``semsim score-dir``: it scores two directories of images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.options import FailAbove, Json, Model, Output, Require, check_output, exit_code, load_scorer
from semsim.commands.progress_bar import progress_bar

if TYPE_CHECKING:
    from semsim.bulk.rows import ScoreRow
    from semsim.bulk.run import Run
    from semsim.summary import Summary

app = typer.Typer(add_completion=False)

_EXIT_INTERRUPTED = 130
_SHOWN = 10


@app.command()
def score_dir(
    originals: Annotated[Path, typer.Argument(help="Directory of the clients' images.")],
    reconstructions: Annotated[Path, typer.Argument(help="Directory of the attack's reconstructions.")],
    match: Annotated[
        str,
        typer.Option(
            metavar="name|index|best|assignment",
            help="name: same path without suffix, or a directory of that name; index: i-th with i-th; "
            "best: each original with its closest reconstruction; assignment: one to one, least total distance.",
        ),
    ] = "name",
    output: Output = None,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="Go on when a reconstruction has no original, or is skipped.")
    ] = False,
    model: Model = None,
    require: Require = None,
    fail_above: FailAbove = None,
    as_json: Json = False,
) -> None:
    """Score a directory of originals against a directory of reconstructions.

    With -o, a run that was interrupted goes on where it stopped when it is called again.
    """
    from semsim.bulk.files import Directories
    from semsim.bulk.matching import Match
    from semsim.bulk.rows import report, write_table
    from semsim.bulk.run import score_directories
    from semsim.exceptions import InvalidOption
    from semsim.memory import keep_freed_memory
    from semsim.summary import summarize

    if match not in set(Match):
        raise InvalidOption(f"expected --match to be one of {', '.join(Match)}, got {match}")
    for path in (originals, reconstructions):
        if (path / "dataset.json").is_file() and (path / "shards").is_dir():
            raise InvalidOption(
                f"expected two directories of images, got the reconstruction set {path}: "
                f"semsim score-set {path} scores it"
            )
    check_output(output)
    journal = None if output is None else output.with_name(output.name + ".partial.jsonl")
    keep_freed_memory()
    scorer = load_scorer(model, require, fail_above)
    try:
        with progress_bar() as progress:
            run = score_directories(
                scorer,
                Directories(originals, reconstructions),
                Match(match),
                journal_path=journal,
                allow_unmatched=allow_unmatched,
                progress=progress,
            )
    except KeyboardInterrupt:
        kept = "nothing was written"
        if journal is not None and journal.exists():  # it begins after the matching
            kept = f"call again to go on; so far in {journal}"
        typer.echo(f"interrupted: {kept}", err=True)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    _warn(run)
    summary = summarize((row.result() for row in run.rows))
    if output is not None and journal is not None:
        write_table(output, run.rows, scorer.manifest, summary)
        journal.unlink()
    if as_json:
        typer.echo(json.dumps(report(run.rows, scorer.manifest, summary), indent=2, allow_nan=False))
    else:
        _print(run.rows, summary, output)
    raise typer.Exit(exit_code(summary, fail_above))


def _warn(run: "Run") -> None:
    for paths, what in (
        (run.matching.lone_originals, "without a reconstruction"),
        (run.matching.lone_reconstructions, "without an original"),
        (run.skipped_originals, "among the originals skipped: no .png, .jpg, .jpeg or .webp file"),
        (run.skipped_reconstructions, "among the reconstructions skipped: no .png, .jpg, .jpeg or .webp file"),
    ):
        if paths:
            typer.echo(f"{_listed(paths)} {what}", err=True)


def _listed(paths: tuple[Path, ...]) -> str:
    from semsim.bulk.rows import text

    names = ", ".join(text(path.as_posix()) for path in paths[:3])
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
    typer.echo(
        f"{summary.pairs} pairs, {summary.failed} not scored" + ("" if output is None else f"; table in {output}")
    )
    if summary.max_leakage is not None:
        typer.echo(
            f"leakage: max {summary.max_leakage:.3f}, mean {summary.mean_leakage:.3f}, "
            f"recognizable {summary.recognizable}"
        )
