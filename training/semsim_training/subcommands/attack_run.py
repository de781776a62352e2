"""``semsim attack run``: one round of the user's own."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.options import Json
from semsim.exceptions import InvalidVictim
from semsim_training.subcommands.attack_run_files import AttackFolder
from semsim_training.subcommands.attack_run_training import DeclaredTraining
from semsim_training.subcommands.attack_run_victim import DeclaredVictim
from semsim_training.subcommands.declared_options import (
    Betas,
    Channels,
    Classes,
    ClipNorm,
    Description,
    Epochs,
    Epsilon,
    LearningRate,
    LocalBatch,
    Mean,
    Module,
    Momentum,
    Nesterov,
    Optimiser,
    Order,
    Schedule,
    Size,
    Std,
    WeightDecay,
    White,
)
from semsim_training.subcommands.option_checks import DEVICES, existing, one_of, present, whole_numbers

if TYPE_CHECKING:
    from semsim_training.attacks.choice import AttackChoice

_SENT, _SEARCH = "The update", "The attack"
_EXIT_INTERRUPTED = 130


def run(
    model: Annotated[Path, typer.Option(help="The weights sent out: .safetensors, .npz, or a PyTorch state dict.")],
    update: Annotated[Path, typer.Option(help="The client's update: tensors by name or in order.")],
    out: Annotated[Path, typer.Option(help="Folder for the reconstructions (PNG) and result.json.")],
    replace: Annotated[bool, typer.Option("--replace", help="Remove earlier reconstructions in OUT.")] = False,
    description: Description = None,
    module: Module = None,
    size: Size = None,
    channels: Channels = None,
    classes: Classes = None,
    mean: Mean = None,
    std: Std = None,
    white: White = None,
    kind: Annotated[
        str, typer.Option(metavar="gradient|delta|after", help="Kind of UPDATE.", rich_help_panel=_SENT)
    ] = "gradient",
    attack: Annotated[
        str, typer.Option(help="A published attack; `semsim attack list` names them.", rich_help_panel=_SEARCH)
    ] = "inversed",
    iterations: Annotated[
        int | None, typer.Option(min=1, show_default="the attack's own", rich_help_panel=_SEARCH)
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(min=1, show_default="the attack's own", rich_help_panel=_SEARCH)
    ] = None,
    total_variation: Annotated[
        float | None, typer.Option(min=0.0, show_default="the attack's own", rich_help_panel=_SEARCH)
    ] = None,
    generator: Annotated[
        Path | None, typer.Option(help="With --attack ggl: the generator whose codes it searches.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="End with the best so far after this time.", rich_help_panel=_SEARCH)
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Number of the client's images.", rich_help_panel=_SENT)] = 1,
    labels: Annotated[
        str | None,
        typer.Option(
            help="The images' classes, such as 3,5.", show_default="inferred from the update", rich_help_panel=_SENT
        ),
    ] = None,
    learning_rate: LearningRate = None,
    local_batch: LocalBatch = None,
    epochs: Epochs = None,
    optimiser: Optimiser = None,
    momentum: Momentum = None,
    nesterov: Nesterov = None,
    weight_decay: WeightDecay = None,
    betas: Betas = None,
    epsilon: Epsilon = None,
    clip_norm: ClipNorm = None,
    schedule: Schedule = None,
    order: Order = None,
    batchnorm: Annotated[
        str, typer.Option(metavar="eval|train", help="The client's batch normalisation.", rich_help_panel=_SENT)
    ] = "eval",
    original: Annotated[
        list[Path] | None, typer.Option(help="A client's image, for each: score what was found, draw it beside.")
    ] = None,
    seed: Annotated[int, typer.Option(rich_help_panel=_SEARCH)] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=_SEARCH)] = "cpu",
    as_json: Json = False,
) -> None:
    """Attack one round of your own.

    Exit codes: 0 the images explain the update (matched); 4 part of it (partly), or an original is recognizable in
    what came out; 5 no more than random images do (nothing_found); 6 no image came out (diverged); 2 refused. None of
    them says that the client is safe.
    """
    from semsim_training.observations.update_kind import UpdateKind

    one_of("--kind", kind, UpdateKind)
    one_of("--batchnorm", batchnorm, ("eval", "train"))
    one_of("--device", device, DEVICES)
    known = None if labels is None else whole_numbers("--labels", labels, "3,5")
    training = DeclaredTraining(
        learning_rate, local_batch, epochs, optimiser, momentum, nesterov, weight_decay, betas, epsilon, clip_norm,
        schedule, order,
    )  # fmt: skip
    training.check()
    victim = DeclaredVictim(model, description, module, size, channels, classes, mean, std, white)
    victim.check()
    existing("a file of tensors", model)
    existing("a file of tensors", update)
    folder = AttackFolder(out, replace, tuple(original or ()))
    folder.check(images)

    with _code_of_the_user():
        from semsim.commands.progress_bar import progress_bar
        from semsim_training.attacks.dispatch import run_attack
        from semsim_training.attacks.search import Options
        from semsim_training.observations.update_files import observation_of
        from semsim_training.subcommands.attack_run_result import attack_result, exit_code, sentences

        choice = _choice(attack, iterations, restarts, total_variation, seconds, generator)
        recipe = choice.resolve()
        observation = observation_of(
            victim.built(),
            update,
            UpdateKind(kind),
            images=images,
            labels=known,
            local_training=training.local_training(images),
            batchnorm="train" if batchnorm == "train" else "eval",
        )
        options = Options(device=present(device), seconds=seconds)
        began = time.monotonic()
        with progress_bar() as show:
            (made,) = run_attack(recipe, [observation], [seed], options, progress=show)
        took = time.monotonic() - began
    written = folder.write(made)
    result = attack_result(choice.label, made, written, took)
    folder.write_result(result)
    typer.echo(json.dumps(result, indent=2) if as_json else "\n".join(sentences(out, result)))
    if code := exit_code(result):
        raise typer.Exit(code)


@contextlib.contextmanager
def _code_of_the_user() -> Iterator[None]:
    """Send what the network prints to the error stream, and say so where it ends the program or the user does.

    Raises:
        InvalidVictim: the network ended the program.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing was written", err=True)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    except SystemExit as error:
        raise InvalidVictim(f"expected a network that makes logits, got SystemExit: {error}") from error


def _choice(
    attack: str,
    iterations: int | None,
    restarts: int | None,
    total_variation: float | None,
    seconds: float | None,
    generator: Path | None,
) -> "AttackChoice":
    from semsim_training.attacks.choice import AttackChoice

    return AttackChoice(
        preset=attack,
        iterations=iterations,
        restarts=restarts,
        total_variation=total_variation,
        seconds=seconds,
        generator=generator,
    )
