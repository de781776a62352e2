"""The command ``semsim export-lpips``: it makes an LPIPS artifact of published weights."""

from pathlib import Path
from typing import Annotated

import typer

from semsim.commands.options import Json

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim export-lpips lpips_alexnet.safetensors models/lpips")
def export_lpips(
    weights: Annotated[
        Path, typer.Argument(help="Safetensors: torchvision's AlexNet features.*, and LPIPS v0.1's heads.lin*.")
    ],
    out: Annotated[Path, typer.Argument(help="Artifact directory to write.")],
    as_json: Json = False,
) -> None:
    """Export LPIPS v0.1 (AlexNet) to model.onnx and manifest.json, and refuse a graph that differs by over 1e-4.

    semsim score and semsim score-dir take it with --lpips, the service with SEMSIM_LPIPS.
    """
    from semsim_export.lpips_export import export_lpips

    manifest = export_lpips(weights, out)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    parity = manifest.parity
    typer.echo(f"{out}: {manifest.name} {manifest.version}, {manifest.graph.size_bytes / 1e6:.1f} MB")
    typer.echo(f"largest difference of the LPIPS of {parity.pairs} pairs: {parity.max_abs_difference:.2e}")
