"""The command ``semsim score``: it scores one pair."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.control_options import NoControls, OwnControls
from semsim.commands.options import (
    FailAbove,
    Json,
    LpipsDirectory,
    Model,
    Require,
    exit_code,
    limit_of,
    load_scorer,
)

if TYPE_CHECKING:
    from semsim.chance import ControlEmbeddings
    from semsim.images import RGBImage
    from semsim.scorer import PairScore

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim score original.png reconstruction.png --fail-above threshold")
def score(
    original: Annotated[Path, typer.Argument(help="The client's image: PNG, JPEG or WebP.")],
    reconstruction: Annotated[Path, typer.Argument(help="The attack's reconstruction of it.")],
    model: Model = None,
    require: Require = None,
    controls: OwnControls = None,
    no_controls: NoControls = False,
    lpips: LpipsDirectory = None,
    fail_above: FailAbove = None,
    as_json: Json = False,
) -> None:
    """Score one original and its reconstruction.

    Exit codes: 0 done; 2 refused; 3 the leakage is above --fail-above; 1 with --fail-above, nobody could tell: the
    original shows nothing, such as one colour or noise, or the reconstruction is blank or dim.

    The chance is the share of public images that are as near to the reconstruction as its original is: a low one says
    that it is this picture, and not only one of its kind.
    """
    from semsim.summary import summarize

    scorer = load_scorer(model, require, fail_above, own_controls=controls, no_controls=no_controls, lpips=lpips)
    result = scorer.score(_read(original), _read(reconstruction))
    if as_json:
        values = asdict(result) | {"psnr": result.psnr if math.isfinite(result.psnr) else None}
        typer.echo(json.dumps(values))
    else:
        leakage = "could not tell" if result.uninformative else "not calibrated"
        if result.leakage is not None:
            called = "recognizable" if result.recognizable else "not recognizable"
            leakage = f"{result.leakage:.3f}   {called}, from {scorer.manifest.threshold} on"
            if result.leakage_low is not None:
                leakage += f"; range {result.leakage_low:.3f} to {result.leakage_high:.3f}"
        typer.echo(f"distance  {result.distance:.4f}   0 = same image, lower = more leakage")
        typer.echo(f"leakage   {leakage}")
        typer.echo(f"chance    {_chance(result, scorer.controls)}")
        typer.echo(f"mse       {result.mse:.2f}")
        typer.echo(f"psnr      {result.psnr:.2f} dB")
        typer.echo(f"ssim      {result.ssim:.4f}")
        if lpips is not None:
            sizes = "none: it takes sides of at least 31 pixels, and at most 2^20 pixels"
            typer.echo(f"lpips     {sizes if result.lpips is None else f'{result.lpips:.4f}   0 = equal'}")
        if result.resized:
            metrics = "mse, psnr and ssim" if result.lpips is None else "mse, psnr, ssim and lpips"
            typer.echo(f"the reconstruction was resized to the original for {metrics}")
    if result.uninformative:
        typer.echo(f"could not tell of {original} and {reconstruction}: {result.uninformative.reason}", err=as_json)
    if code := exit_code(summarize([result]), limit_of(fail_above, scorer.manifest.threshold)):
        raise typer.Exit(code)


def _chance(result: "PairScore", controls: "ControlEmbeddings | None") -> str:
    if result.chance is not None:
        called = "identified: this picture" if result.identified else "not identified"
        return f"{result.chance:.4f}  {called}, beside {0 if controls is None else len(controls)} public images"
    if result.uninformative:
        return "could not tell"
    return "no controls" if controls is None else "could not tell: too few controls are no copies of the original"


def _read(path: Path) -> "RGBImage":
    """The image at ``path``. A refusal names the path, since there are two."""
    from semsim.exceptions import InvalidImage, UnreadableFile
    from semsim.images import decode
    from semsim.pairs import require_scorable

    try:
        return require_scorable(decode(path))
    except UnreadableFile:
        raise
    except InvalidImage as error:
        raise type(error)(f"{error}, in {path}") from error
