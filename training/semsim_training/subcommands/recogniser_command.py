"""``semsim recogniser``: trains classifiers that annotate."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Train classifiers that annotate reconstructions.")


@app.callback()
def _recogniser() -> None:
    # With a callback, `train` stays a sub-command while it is the only one.
    pass


@app.command("train", epilog="Example: semsim recogniser train configs/recognisers/cpu.yaml build/recognisers")
def train(
    config: Annotated[Path, typer.Argument(help="Images, networks and seeds, YAML.")],
    out: Annotated[Path, typer.Argument(help="Directory for NAME-SEED.safetensors and NAME-SEED.json.")],
    only: Annotated[list[str] | None, typer.Option(help="Recognisers to train.", show_default="all")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Fine-tune recognisers on clean and degraded images. An interrupted run goes on after its last finished epoch."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim.memory import keep_freed_memory
    from semsim.progress import prefixed
    from semsim_training.recognition.recogniser_configuration import RecogniserTrainings

    recognisers = RecogniserTrainings.read(config).recognisers
    names = {f"{name}-{seed}": (name, seed) for name, training in recognisers.items() for seed in training.seeds}
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise InvalidOption(f"expected --only of {', '.join(names)}, got {unknown[0]}")
    from semsim_training.recognition.recogniser_training import train_recogniser  # brings torch

    keep_freed_memory()
    for label in only or names:
        path = out / f"{label}.safetensors"
        if path.exists():
            typer.echo(f"{path}: there already")
            continue
        name, seed = names[label]
        with progress_bar() as show:
            record = train_recogniser(
                name, recognisers[name], seed, config.parent, path, device=device,
                progress=prefixed(show, label),
            ).record  # fmt: skip
        if record is not None:
            typer.echo(
                f"{path}: {record.clean_accuracy:.1%} of {record.test_images} test images, "
                f"{record.degraded_accuracy:.1%} of them degraded"
            )
