"""``semsim victim``: train the classifiers that attacks are measured on."""

from pathlib import Path
from typing import Annotated

import typer

from semsim_training.subcommands.page_tables import checked, told

app = typer.Typer(no_args_is_help=True, help="Train victim classifiers.")


@app.callback()
def _victim() -> None:
    # With a callback, `train` stays a sub-command while it is the only one.
    pass


@app.command("train", epilog="Example: semsim victim train configs/victims/cpu.yaml models/victims")
def train(
    config: Annotated[Path, typer.Argument(help="Networks, images and schedules, YAML.")],
    out: Annotated[Path, typer.Argument(help="Directory for NAME.safetensors and NAME.json.")],
    only: Annotated[list[str] | None, typer.Option(help="Victims to train.", show_default="all")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the victims of a configuration. An interrupted run goes on after its last finished epoch."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim.progress import prefixed
    from semsim_training.victims.schedule import VictimTrainings

    victims = VictimTrainings.read(config).victims
    unknown = sorted(set(only or ()) - set(victims))
    if unknown:
        raise InvalidOption(f"expected --only of {', '.join(victims)}, got {unknown[0]}")
    from semsim_training.victims.victim_training import train_victim  # imports torch

    for name in only or victims:
        path = out / f"{name}.safetensors"
        if path.exists():
            typer.echo(f"{path}: there already")
            continue
        with progress_bar() as show:
            description = train_victim(victims[name], path, device=device, progress=prefixed(show, name))
        record = description.training
        if record is not None:
            label = description.network.label
            typer.echo(f"{path}: {label}, {record.test_accuracy:.1%} of {record.test_images} test images")


@app.command("table", epilog="Example: semsim victim table models/victims")
def table(
    directory: Annotated[Path, typer.Argument(help="Directory with NAME.safetensors and NAME.json.")],
    write: Annotated[
        Path | None, typer.Option(help="Markdown file, to write between its <!-- victims --> marks.")
    ] = None,
) -> None:
    """Tell how each victim was trained and how well it classifies, as Markdown."""
    from semsim_training.victims.victim_table import victim_table

    checked(write, "victims")
    told(victim_table(directory), write, "victims")
