"""The lines by which ``semsim score-dir`` tells of a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from semsim.commands.gate_options import in_words

if TYPE_CHECKING:
    from semsim.bulk.directory_fid import DirectoryFid
    from semsim.bulk.rows import ScoreRow
    from semsim.bulk.run import RunSummary

_SHOWN = 10


def missing_of(summary: "RunSummary") -> str:
    """The counts of all that has no leakage to tell, in words; empty where there is none."""
    counts = {
        "not scored": summary.failed,
        "that nothing can be told of": summary.uninformative,
        "skipped": summary.skipped,
        "without a partner": summary.unmatched,
    }
    return in_words(counts)


def print_run(rows: "list[ScoreRow]", summary: "RunSummary", output: Path | None, *, chosen: bool) -> None:
    """Print the closest pairs, the pairs that were not scored, and the totals."""
    scored = sorted((row for row in rows if row.distance is not None), key=lambda row: row.distance or 0.0)
    typer.echo(f"{'distance':>9} {'leakage':>8} {'chance':>7} {'psnr':>7} {'ssim':>7}  original -> reconstruction")
    for row in scored[:_SHOWN]:
        leakage = "-" if row.leakage is None else f"{row.leakage:.3f}"
        chance = "-" if row.chance is None else f"{row.chance:.4f}"
        typer.echo(
            f"{row.distance:>9.4f} {leakage:>8} {chance:>7} {row.psnr:>7.2f} {row.ssim:>7.4f}  "
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
    if summary.identified is not None:
        luck = ", of pairs that were chosen as near, some by luck" if chosen else ""
        typer.echo(f"identified beside public images: {summary.identified}{luck}")


def print_lpips(rows: "list[ScoreRow]", *, asked: bool) -> None:
    """Print the mean LPIPS, and of how many scored pairs there is none."""
    values = [row.lpips for row in rows if row.lpips is not None]
    others = sum(row.distance is not None for row in rows) - len(values)
    mean = f"{sum(values) / len(values):.4f}" if values else "none"
    if asked:
        typer.echo(f"lpips: mean {mean} of {len(values)} pairs; {others} are too small or too large for it")


def print_fid(fid: "DirectoryFid | None") -> None:
    """Print FID, the images that it is of, and what speaks against its comparison with others."""
    if fid is None:
        return
    sets = f"{fid.originals} originals and {fid.reconstructions} reconstructions"
    if fid.left_out:
        sets += f"; {fid.left_out} images could not be decoded and are left out"
    if fid.value is None:
        typer.echo(f"fid: none of {sets}: {fid.reason}")
        return
    typer.echo(f"fid: {fid.value:.4f} of {sets}, by {fid.extractor}")
    typer.echo("fid is of the two sets, not of any pair: compare it with FIDs of as many images by this artifact alone")
    if fid.is_biased:
        typer.echo(f"fid is biased upwards: a set has no more images than the {fid.features} features")
    if not fid.same_sizes:
        typer.echo("fid is also of the stretching: the images of both directories are not of the same sizes")


def tell_untold(rows: "list[ScoreRow]", *, asked: bool) -> None:
    """Say of how many pairs controls could not tell whether they are identified."""
    untold = sum(row.distance is not None and row.chance is None and row.uninformative is None for row in rows)
    if asked and untold:
        typer.echo(f"not told whether identified: {untold}, since too many controls are copies", err=True)
