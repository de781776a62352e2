"""The command ``semsim model show``: an artifact's manifest, and the execution provider that runs it here."""

import json
from dataclasses import asdict

import typer

from semsim.commands.options import Json, Model, Require, load_scorer

app = typer.Typer(help="Look into a model artifact.", no_args_is_help=True, add_completion=False)


@app.callback()
def _model() -> None:
    """Keep ``show`` a sub-command: Typer would make the only command that of the app."""


@app.command(epilog="Example: semsim model show")
def show(model: Model = None, require: Require = None, as_json: Json = False) -> None:
    """Show the manifest, and the execution provider that runs it here."""
    import numpy as np

    scorer = load_scorer(model, require)
    manifest, provider = scorer.manifest, scorer.provider
    if as_json:
        typer.echo(json.dumps({"manifest": manifest.model_dump(mode="json"), "provider": asdict(provider)}, indent=2))
        return
    graph, size = manifest.graph, manifest.input
    lines = {
        "model": f"{manifest.name} {manifest.version} ({manifest.licence})",
        "summary": manifest.summary,
        "graph": f"{graph.precision}, opset {graph.opset}, {graph.size_bytes / 1e6:.1f} MB, sha256 {graph.sha256}",
        "input": f"{size.width}x{size.height} RGB, {size.filter}",
        "embedding": f"{manifest.embedding.dimension}{', unit norm' if manifest.embedding.normalized else ''}",
        "leakage": "not calibrated: leakage and recognizable are null"
        if manifest.calibration is None
        else f"{manifest.calibration.kind}, recognizable from {manifest.threshold}, "
        f"an exact copy has {manifest.calibration.leakage(np.zeros(1))[0]:.3f}",
        "controls": "none: chance and identified are null"
        if manifest.controls is None
        else f"{manifest.controls.count} public images: {manifest.controls.source}",
        "training": manifest.training.summary,
        "provider": f"{provider.active} (ONNX Runtime {provider.onnxruntime}); single precision: {provider.arithmetic}",
    }
    for name, value in lines.items():
        typer.echo(f"{name:<10} {value}")
    for missing, reason in provider.missing:
        typer.echo(f"{'':<10} not {missing}: {reason}")
