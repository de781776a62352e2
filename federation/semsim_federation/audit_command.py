"""``semsim audit``: does a round leak, and how has that changed?"""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.main import EXIT_LEAKS
from semsim.commands.options import Json, Model, load_scorer
from semsim_training.subcommands.attack_run_training import DeclaredTraining
from semsim_training.subcommands.attack_run_victim import DeclaredVictim
from semsim_training.subcommands.option_checks import DEVICES, existing, one_of, present, whole_numbers

if TYPE_CHECKING:
    from semsim_federation.leakage_report import LeakageReport

app = typer.Typer(no_args_is_help=True, help="Tell whether what a client sends gives its images away.")
EXIT_COULD_NOT_TELL = 4
_NETWORK, _TRAINING = "The network", "Local training"


@app.command()
def update(
    before: Annotated[Path, typer.Option(help="The weights sent out: .safetensors, .npz, or a PyTorch state dict.")],
    after: Annotated[Path, typer.Option(help="The client's answer: tensors by name or in order.")],
    images: Annotated[Path, typer.Option(help="Folder of the client's images, of the network's size.")],
    labels: Annotated[str, typer.Option(help="Their classes in the order of the files' names, such as 3,5.")],
    controls: Annotated[Path, typer.Option(help="Folder of public images of the same kind: at least 100.")],
    kind: Annotated[str, typer.Option(metavar="gradient|delta|after", help="Kind of AFTER.")] = "after",
    description: Annotated[
        Path | None, typer.Option(help="Description of the network, JSON.", rich_help_panel=_NETWORK)
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:NAME|MODULE:NAME",
            help="The network, as code that makes it. It is executed.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="HxW", rich_help_panel=_NETWORK)] = None,
    channels: Annotated[int | None, typer.Option(rich_help_panel=_NETWORK)] = None,
    classes: Annotated[int | None, typer.Option(rich_help_panel=_NETWORK)] = None,
    mean: Annotated[str | None, typer.Option(rich_help_panel=_NETWORK)] = None,
    std: Annotated[str | None, typer.Option(rich_help_panel=_NETWORK)] = None,
    white: Annotated[int | None, typer.Option(metavar="255|1", rich_help_panel=_NETWORK)] = None,
    learning_rate: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    local_batch: Annotated[int | None, typer.Option(min=1, rich_help_panel=_TRAINING)] = None,
    epochs: Annotated[int | None, typer.Option(min=1, rich_help_panel=_TRAINING)] = None,
    optimiser: Annotated[str | None, typer.Option(metavar="sgd|adam|adamw", rich_help_panel=_TRAINING)] = None,
    momentum: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    nesterov: Annotated[bool | None, typer.Option("--nesterov", rich_help_panel=_TRAINING)] = None,
    weight_decay: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    betas: Annotated[str | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    epsilon: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    clip_norm: Annotated[float | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    schedule: Annotated[str | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    order: Annotated[str | None, typer.Option(rich_help_panel=_TRAINING)] = None,
    batchnorm: Annotated[str, typer.Option(metavar="eval|train", rich_help_panel=_TRAINING)] = "eval",
    attack: Annotated[list[str] | None, typer.Option(help="A search to try; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for all attacks.")] = 20.0,
    threshold: Annotated[float | None, typer.Option(min=0.0, max=1.0, show_default="the model's")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option()] = 0,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Audit one client's update against the images that it was made on.

    The options of the network and of local training are those of ``semsim attack run``.

    Exit codes: 3 an image leaks; 0 not shown to leak by these attacks; 4 could not tell; 2 refused. None of them says
    that the client is safe.
    """
    from semsim_training.observations.update_kind import UpdateKind

    one_of("--kind", kind, UpdateKind)
    one_of("--batchnorm", batchnorm, ("eval", "train"))
    one_of("--device", device, DEVICES)
    known = whole_numbers("--labels", labels, "3,5")
    declared = DeclaredTraining(
        learning_rate, local_batch, epochs, optimiser, momentum, nesterov, weight_decay, betas, epsilon, clip_norm,
        schedule, order,
    )  # fmt: skip
    declared.check()
    victim = DeclaredVictim(before, description, module, size, channels, classes, mean, std, white)
    victim.check()
    existing("a file of tensors", before)
    existing("a file of tensors", after)

    from semsim_federation.audit import Audit
    from semsim_federation.image_folders import client_images, folder_of_images

    scorer = load_scorer(model, None, None)
    with contextlib.redirect_stdout(sys.stderr):  # what the user's code prints
        built = victim.built()
    held = client_images(images, built.inputs)
    audit = Audit(
        built.model, built.inputs, training=declared.local_training(len(held)),
        batchnorm="train" if batchnorm == "train" else "eval", attacks=tuple(attack or ("smooth",)), seconds=seconds,
        controls=folder_of_images(controls), scorer=scorer, threshold=threshold, device=present(device), seed=seed,
    )  # fmt: skip
    report = audit.update(before, after, held, known, kind=kind)
    typer.echo(json.dumps(report.values(), indent=2, allow_nan=False) if as_json else "\n".join(_lines(report)))
    if code := {"leaks": EXIT_LEAKS, "could_not_tell": EXIT_COULD_NOT_TELL}.get(report.verdict, 0):
        raise typer.Exit(code)


@app.command()
def plot(
    series: Annotated[Path, typer.Argument(help="A series of audits, Parquet.")],
    out: Annotated[Path, typer.Argument(help="The picture to write, .png or .svg.")],
) -> None:
    """Draw leakage and the share of leaked images by round."""
    from semsim_federation.series import plot_series, read_series

    plot_series(read_series(series), out)
    typer.echo(out)


def _lines(report: "LeakageReport") -> list[str]:
    lines = [report.sentence]
    for one in report.attempts:
        gain = "" if one.gain is None else f", gain {one.gain:.2f}"
        lines.append(f"  {one.attack}: {one.status}{gain}, {one.seconds:.1f} s{': ' * bool(one.reason)}{one.reason}")
    for index, image in enumerate(report.images):
        leakage = "nothing can be told" if image.leakage is None else f"leakage {image.leakage:.2f}"
        chance = "" if image.chance is None else f", chance {image.chance:.4f}"
        lines.append(f"  image {index}: {leakage}{chance}{', leaked' * image.leaked}")
    lines.append(f"  {report.controls} controls: up to {report.luck:.1%} of batches of strangers have a lucky image")
    return lines
