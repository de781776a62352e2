"""``semsim attack train-generator``: the generator whose codes an attack searches."""

from pathlib import Path
from typing import Annotated

import typer


def train_generator_of(
    config: Annotated[Path, typer.Argument(help="The attacker's images and the generator's training, YAML.")],
    out: Annotated[Path, typer.Argument(help="File for the weights (.safetensors); a description lies beside it.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a generator of images for the attack ggl. An interrupted run goes on after its last finished epoch."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim_training.attacks.generative.generator_training import GeneratorTraining, train_generator

    training = GeneratorTraining.read(config)
    if out.suffix != ".safetensors":
        raise InvalidOption(f"expected a file .safetensors for the generator, got {out}")
    if out.exists():
        typer.echo(f"{out}: there already")
        return
    with progress_bar() as show:
        description = train_generator(training, out, device=device, progress=show)
    typer.echo(
        f"{out}: {description.images} images of {description.dataset}, {description.psnr:.1f} dB from their codes"
    )
