"""The command ``semsim export``: it makes a model artifact of a checkpoint."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from semsim.commands.options import Json

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: semsim export build/trained/model.safetensors models/mine --images photographs")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Weights, safetensors.")],
    out: Annotated[Path, typer.Argument(help="Artifact directory to write.")],
    images: Annotated[Path, typer.Option("--images", help="Directory of real images, for calibration and comparison.")],
    description: Annotated[
        Path | None,
        typer.Option(
            "--description", help="Description of the weights, JSON.", show_default="CHECKPOINT with suffix .json"
        ),
    ] = None,
    precision: Annotated[str, typer.Option(metavar="fp32|fp16-weights|fp16|int8")] = "fp16-weights",
    count: Annotated[int, typer.Option("--count", min=32, help="Images to use.")] = 512,
    seed: Annotated[int, typer.Option(help="Seed of the choice of images and of their degradation.")] = 0,
    as_json: Json = False,
) -> None:
    """Export a checkpoint to model.onnx and manifest.json, and refuse a graph that does not agree with it."""
    from typing import get_args

    from semsim.exceptions import InvalidOption
    from semsim.manifest import Precision

    chosen = next((name for name in get_args(Precision) if name == precision), None)
    if chosen is None:
        raise InvalidOption(f"expected --precision fp32, fp16-weights, fp16 or int8, got {precision}")
    # torch takes seconds to import, so the options are checked first.
    from semsim_export.artifact_export import ExportOptions, export_artifact
    from semsim_training.checkpoint import CheckpointDescription

    exported = export_artifact(
        checkpoint,
        CheckpointDescription.read(description or checkpoint.with_suffix(".json")),
        images,
        out,
        ExportOptions(precision=chosen, images=count, seed=seed),
        progress=lambda step, done, total: typer.echo(step, err=True),
    )
    manifest, provider = exported.manifest, exported.provider
    if as_json:
        typer.echo(json.dumps({"manifest": manifest.model_dump(mode="json"), "provider": asdict(provider)}, indent=2))
        return
    parity = manifest.parity
    typer.echo(f"{out}: {manifest.name} {manifest.version}, {precision}, {manifest.graph.size_bytes / 1e6:.1f} MB")
    typer.echo(f"largest difference of a unit embedding's component: {parity.max_abs_difference:.2e}")
    typer.echo(f"Spearman of {parity.pairs} distances with the network's: {parity.distance_spearman:.6f}")
    typer.echo(f"ran on {provider.active} in {provider.arithmetic}, ONNX Runtime {provider.onnxruntime}")
    for missing, reason in provider.missing:
        typer.echo(f"not on {missing}: {reason}")
