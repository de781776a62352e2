"""``semsim attack``: one update, a grid of settings, and what came of it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from semsim.commands.options import Json

app = typer.Typer(no_args_is_help=True, help="Rebuild clients' images from their updates.")

_DEVICES = ("cpu", "cuda")
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


@app.command("run")
def run(
    model: Annotated[Path, typer.Option(help="The model sent out: .safetensors, or a PyTorch state dict.")],
    update: Annotated[Path, typer.Option(help="The client's update: tensors by name.")],
    out: Annotated[Path, typer.Option(help="Directory for the reconstructions (PNG) and result.json.")],
    description: Annotated[
        Path | None, typer.Option(help="Description of the network, JSON.", show_default="MODEL with suffix .json")
    ] = None,
    kind: Annotated[str, typer.Option(metavar="gradient|delta|after", help="Kind of UPDATE.")] = "gradient",
    attack: Annotated[str, typer.Option(help="A published attack; `semsim attack list` names them.")] = "inversed",
    iterations: Annotated[int | None, typer.Option(min=1, show_default="the attack's own")] = None,
    restarts: Annotated[int | None, typer.Option(min=1, show_default="the attack's own")] = None,
    total_variation: Annotated[float | None, typer.Option(min=0.0, show_default="the attack's own")] = None,
    images: Annotated[int, typer.Option(min=1, help="Number of the client's images.")] = 1,
    labels: Annotated[
        str | None, typer.Option(help="The images' classes, such as 3,5.", show_default="inferred from the update")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Learning rate of local training.")] = None,
    local_batch: Annotated[int | None, typer.Option(min=1, show_default="all images")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of local training.")] = 1,
    batchnorm: Annotated[str, typer.Option(metavar="eval|train", help="The client's batch normalisation.")] = "eval",
    seed: Annotated[int, typer.Option()] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Attack one round of your own."""
    from semsim_training.observations.update_kind import UpdateKind

    _one_of("--kind", kind, UpdateKind)
    _one_of("--batchnorm", batchnorm, ("eval", "train"))
    _one_of("--device", device, _DEVICES)
    known = None if labels is None else _numbers(labels)
    for path in (model, update):
        _existing(path)

    from PIL import Image

    from semsim.commands.progress_bar import progress_bar
    from semsim_training.attacks.choice import AttackChoice
    from semsim_training.attacks.dispatch import run_attack
    from semsim_training.attacks.search import Options
    from semsim_training.gradients.update import LocalTraining
    from semsim_training.observations.update_files import observation_of, victim_from_files

    choice = AttackChoice(preset=attack, iterations=iterations, restarts=restarts, total_variation=total_variation)
    recipe = choice.resolve()
    training = None if learning_rate is None else LocalTraining(learning_rate, local_batch or images, epochs)
    observation = observation_of(
        victim_from_files(model, description),
        update,
        UpdateKind(kind),
        images=images,
        labels=known,
        local_training=training,
        batchnorm="train" if batchnorm == "train" else "eval",
    )
    options = Options(device=_present(device))
    with progress_bar() as show:
        (made,) = run_attack(recipe, [observation], [seed], options, progress=show)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"reconstruction-{index}.png" for index in range(len(made.images))]
    for name, image in zip(names, made.images, strict=True):
        Image.fromarray(image).save(out / name)
    result = {
        "attack": choice.label,
        "status": made.status.value,
        "objective": made.objective,
        "reconstructions": [{"file": name, "label": label} for name, label in zip(names, made.labels, strict=True)],
    }
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    typer.echo(json.dumps(result, indent=2) if as_json else _sentence(result, out))


@app.command("grid")
def grid(
    config: Annotated[Path, typer.Argument(help="Settings, YAML.")],
    out: Annotated[Path, typer.Argument(help="The set's directory; an unfinished one is finished.")],
    engine: Annotated[
        str, typer.Option(metavar="here|processes|ray", help="Engine that computes the shards.")
    ] = "processes",
    workers: Annotated[int | None, typer.Option(min=1, show_default="all cores")] = None,
    device: Device = "cpu",
) -> None:
    """Attack a grid of settings and write a reconstruction set."""
    from semsim.exceptions import InvalidOption
    from semsim_training.reconstructions.engines.engine import Engine

    _one_of("--engine", engine, Engine)
    _one_of("--device", device, _DEVICES)
    if device != "cpu" and engine == Engine.PROCESSES:
        raise InvalidOption("expected --engine here or ray with --device cuda, got processes")

    from semsim.commands.progress_bar import progress_bar
    from semsim_training.reconstructions.generate import generate
    from semsim_training.reconstructions.grid import Grid

    with progress_bar() as show:
        made = generate(
            Grid.read(config), config.parent, out,
            engine=Engine(engine), workers=workers, device=_present(device), progress=show,
        )  # fmt: skip
    typer.echo(f"{out}: {made.rows} reconstructions in {made.settings} settings, {made.diverged} diverged")


@app.command("gallery")
def gallery(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    out: Annotated[Path | None, typer.Option(help="PNG to write.", show_default="DATASET/gallery.png")] = None,
    columns: Annotated[int, typer.Option(min=1, max=100, help="Images of each setting.")] = 12,
    settings: Annotated[str, typer.Option(help="Only settings whose name contains this.")] = "",
) -> None:
    """Draw originals above reconstructions, by setting, from the best PSNR to the worst."""
    from semsim_training.reconstructions.gallery import draw_gallery

    path = out or dataset / "gallery.png"
    draw_gallery(dataset, columns=columns, settings=settings).save(path)
    typer.echo(str(path))


@app.command("table")
def table(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    write: Annotated[
        Path | None, typer.Option(help="Markdown file, to write the table between its <!-- attacks --> marks.")
    ] = None,
) -> None:
    """PSNR, spread, success and time of every setting, as Markdown."""
    from semsim_training.markdown import write_between
    from semsim_training.reconstructions.table import markdown

    text = markdown(dataset)
    if write is None:
        typer.echo(text)
    else:
        write_between(write, "attacks", text)


@app.command("compare")
def compare(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    lpips: Annotated[Path | None, typer.Option(help="Weights of LPIPS v0.1, AlexNet, .safetensors.")] = None,
    write: Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its marks.")] = None,
    mark: Annotated[str, typer.Option(help="Name of the marks, <!-- MARK -->.")] = "comparison",
) -> None:
    """Attacks on the same clients against each other: paired differences with intervals, as Markdown."""
    from semsim_training.markdown import write_between
    from semsim_training.reconstructions.comparison import comparison_table
    from semsim_training.reference_metrics.lpips import Lpips

    text = comparison_table(dataset, None if lpips is None else Lpips(lpips))
    if write is None:
        typer.echo(text)
    else:
        write_between(write, mark, text)


@app.command("list")
def list_attacks() -> None:
    """The published attacks, and the attacks, defenses and victims of plug-ins."""
    from semsim_training.attacks.catalogue import ATTACKS
    from semsim_training.plug_ins import PlugInKind, plug_ins

    for attack in ATTACKS.values():
        length = "   closed form   " if attack.iterations is None else f"{attack.iterations:6} iterations"
        typer.echo(f"{attack.name:22} {length}  {attack.citation}")
    for kind in PlugInKind:
        for name, alike in plug_ins(kind).items():
            typer.echo(f"{name:22} {f'{kind} plug-in':17}  {' and '.join(one.origin for one in alike)}")


def _one_of(option: str, value: str, known: Iterable[str]) -> None:
    from semsim.exceptions import InvalidOption

    if value not in set(known):
        raise InvalidOption(f"expected {option} {' or '.join(known)}, got {value}")


def _existing(path: Path) -> None:
    from semsim.exceptions import InvalidOption

    if not path.is_file():
        raise InvalidOption(f"expected a file of tensors at {path}, got none")


def _present(device: str) -> str:
    """The device, where the machine has it."""
    import torch

    from semsim.exceptions import InvalidOption

    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidOption("expected a GPU for --device cuda, got none")
    return device


def _numbers(text: str) -> tuple[int, ...]:
    from semsim.exceptions import InvalidOption

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidOption(f"expected --labels as numbers, such as 3,5, got {text}") from None


def _sentence(result: Mapping[str, object], out: Path) -> str:
    return f"{out}: {result['attack']}, {result['status']}, objective {result['objective']:.4g}"
