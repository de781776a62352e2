"""``semsim audit``: does a round leak, and how has that changed?"""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.main import EXIT_LEAKS
from semsim.commands.options import Json, Model, load_scorer
from semsim.exceptions import InvalidOption
from semsim_federation.audit_run_command import EXIT_COULD_NOT_TELL, example, run
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
    from semsim_federation.leakage_report import LeakageReport

app = typer.Typer(no_args_is_help=True, help="Tell whether what a client sends gives its images away.")
app.command(epilog="Example: semsim audit run audit.yaml --out report.html")(run)
app.command(epilog="Example: semsim audit example")(example)


@app.command(
    epilog="Example: semsim audit update --module task.py:Net --size 32 --classes 10 --mean 0.5 --std 0.5 --white 1 "
    "--before before.npz --after after.npz --images images --labels 3 --controls public"
)
def update(
    before: Annotated[Path, typer.Option(help="The weights sent out: .safetensors, .npz, or a PyTorch state dict.")],
    after: Annotated[Path, typer.Option(help="The client's answer: tensors by name or in order.")],
    images: Annotated[Path, typer.Option(help="Folder of the client's images, of the network's size.")],
    labels: Annotated[str, typer.Option(help="Their classes in the order of the files' names, such as 3,5.")],
    controls: Annotated[Path, typer.Option(help="Folder of public images of the same kind: at least 100.")],
    kind: Annotated[str, typer.Option(metavar="gradient|delta|after", help="Kind of AFTER.")] = "after",
    description: Description = None,
    module: Module = None,
    size: Size = None,
    channels: Channels = None,
    classes: Classes = None,
    mean: Mean = None,
    std: Std = None,
    white: White = None,
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
    batchnorm: Annotated[str, typer.Option(metavar="eval|train")] = "eval",
    attack: Annotated[list[str] | None, typer.Option(help="A search to try; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for all attacks.")] = 20.0,
    threshold: Annotated[float | None, typer.Option(min=0.0, max=1.0, show_default="the model's")] = None,
    defense: Annotated[str, typer.Option(help="The defense that the client applied, such as gaussian:0.003.")] = "none",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option()] = 0,
    gallery: Annotated[Path | None, typer.Option(help="PNG to append the reconstructions to.")] = None,
    originals: Annotated[bool, typer.Option("--originals", help="Draw the images above them in it.")] = False,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Audit one client's update against the images that it was made on.

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
    if originals and gallery is None:
        raise InvalidOption("expected --gallery with --originals, got none")
    if gallery is not None and not (gallery.suffix == ".png" and gallery.absolute().parent.is_dir()):
        raise InvalidOption(f"expected --gallery as a .png file in an existing directory, got {gallery}")

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
    report = audit.update(before, after, held, known, kind=kind, defense=defense)
    typer.echo(json.dumps(report.values(), indent=2, allow_nan=False) if as_json else "\n".join(_lines(report)))
    if gallery is not None:
        from semsim_federation.audit_gallery import append_gallery

        append_gallery(gallery, report, originals=held if originals else None)
    if code := {"leaks": EXIT_LEAKS, "could_not_tell": EXIT_COULD_NOT_TELL}.get(report.verdict, 0):
        raise typer.Exit(code)


@app.command(epilog="Example: semsim audit plot series.parquet curve.png")
def plot(
    series: Annotated[list[Path], typer.Argument(help="Series of audits, Parquet: a curve each.")],
    out: Annotated[Path, typer.Argument(help="The picture to write, .png or .svg.")],
) -> None:
    """Draw leakage beside that of the controls by round, the share of leaked images, and which rounds were blocked."""
    from semsim_federation.series import read_series
    from semsim_federation.series_plot import plot_series

    if len({path.stem for path in series}) < len(series):
        raise typer.BadParameter(f"expected series of different names, got {', '.join(map(str, series))}")
    if out.suffix.lower() not in (".png", ".svg"):
        raise InvalidOption(f"expected a picture to write, .png or .svg, got {out}")
    plot_series({path.stem: read_series(path) for path in series}, out)
    typer.echo(out)


def _lines(report: "LeakageReport") -> list[str]:
    lines = [report.sentence]
    for one in report.attempts:
        gain = "" if one.gain is None else f", gain {one.gain:.2f}"
        lines.append(f"  {one.attack}: {one.status}{gain}, {one.seconds:.1f} s{': ' * bool(one.reason)}{one.reason}")
    for index, image in enumerate(report.images):
        is_told = image.leakage is not None and report.verdict != "could_not_tell"
        leakage = f"leakage {image.leakage:.2f}" if is_told else "nothing can be told"
        chance = "" if image.chance is None else f", chance {image.chance:.4f}"
        told = ", leaked" if image.leaked else ", identified" * image.identified
        lines.append(f"  image {index}: {leakage}{chance}{told}")
    lines.append(f"  {report.controls} controls: up to {report.luck:.1%} of batches of strangers have a lucky image")
    return lines
