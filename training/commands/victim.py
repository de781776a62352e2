"""``semsim victim``: train the classifiers that attacks are measured on."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Train victim classifiers.")


@app.callback()
def _victim() -> None:
    """Keeps `train` a sub-command while it is the only one."""


@app.command("train")
def train(
    config: Annotated[Path, typer.Argument(help="Network, images and schedule, YAML.")],
    out: Annotated[Path, typer.Argument(help="Weights to write (.safetensors); a description goes beside them.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a victim; an interrupted run goes on after its last finished epoch."""
    from semsim.commands.progress import progress_bar
    from training.victims.schedule import VictimTraining
    from training.victims.training import train_victim

    with progress_bar() as show:
        description = train_victim(VictimTraining.read(config), out, device=device, progress=show)
    record = description.training
    if record is not None:
        typer.echo(
            f"{out}: {description.network.label}, {record.test_accuracy:.1%} of {record.test_images} test images"
        )
