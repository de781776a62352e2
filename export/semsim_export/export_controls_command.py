"""The command ``semsim export-controls``: it gives a model artifact its public control images."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim export-controls models/mine datasets/cifar10 datasets/caltech101")
def export_controls(
    artifact: Annotated[Path, typer.Argument(help="Artifact directory, to which the controls are added.")],
    sets: Annotated[list[Path], typer.Argument(help="Reconstruction sets, whose data sets the images are from.")],
    count: Annotated[int, typer.Option("--count", min=100, help="Images to embed.")] = 512,
    seed: Annotated[int, typer.Option(help="Seed of the choice of images.")] = 0,
) -> None:
    """Embed public images of the split train as an artifact's controls. Embeddings are written, and no image."""
    from semsim_export.control_export import ControlOptions
    from semsim_export.control_export import export_controls as write_controls

    manifest = write_controls(artifact, sets, ControlOptions(count=count, seed=seed))
    if manifest.controls is not None:
        typer.echo(f"{artifact}: {manifest.controls.count} controls, {manifest.controls.source}")
