"""The command ``semsim export-fid``: it makes an FID artifact of published weights."""

from pathlib import Path
from typing import Annotated

import typer

from semsim.commands.options import Json

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim export-fid pt_inception-2015-12-05-6726825d.pth models/fid")
def export_fid(
    weights: Annotated[
        Path, typer.Argument(help="Inception-v3's state dict: pytorch-fid's pt_inception-2015-12-05, or torchvision's.")
    ],
    out: Annotated[Path, typer.Argument(help="Artifact directory to write.")],
    as_json: Json = False,
) -> None:
    """Export Inception-v3's 2048 features, and refuse a graph whose features differ by over 1e-4 of the largest.

    semsim score-dir takes the artifact with --fid. Values by the two weights are not to be compared with each other.
    """
    from semsim_export.fid_export import export_inception

    manifest = export_inception(weights, out)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    parity = manifest.parity
    typer.echo(f"{out}: {manifest.name} {manifest.version}, {manifest.graph.size_bytes / 1e6:.1f} MB")
    typer.echo(
        f"largest difference of a feature of {parity.images} pictures: {parity.max_difference:.2e} of the largest"
    )
