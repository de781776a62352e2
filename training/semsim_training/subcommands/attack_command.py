"""``semsim attack``: one update, a grid of settings, and what came of it."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from semsim_training.subcommands.attack_examples import example
from semsim_training.subcommands.attack_exit_codes import EXIT_DIVERGED, EXIT_NOTHING_FOUND, EXIT_PARTLY
from semsim_training.subcommands.attack_generators import train_generator_of
from semsim_training.subcommands.attack_run import run
from semsim_training.subcommands.attack_sets import compare, gallery, table
from semsim_training.subcommands.option_checks import DEVICES, one_of, present

app = typer.Typer(no_args_is_help=True, help="Rebuild clients' images from their updates.")

Device = Annotated[str, typer.Option(help="cpu or cuda.")]
app.command(
    "run",
    epilog="Example: semsim attack run --module task.py:Net --size 32 --classes 10 --mean 0.5 --std 0.5 --white 1 "
    "--model before.npz --update after.npz --out attacked",
)(run)


@app.command("grid", epilog="Example: semsim attack grid configs/attacks/cifar10.yaml build/cifar10")
def grid(
    config: Annotated[Path, typer.Argument(help="Settings, YAML; `semsim attack example` prints some.")],
    out: Annotated[Path, typer.Argument(help="The set's directory; an unfinished one is finished.")],
    engine: Annotated[
        str, typer.Option(metavar="here|processes|ray", help="Engine that computes the shards.")
    ] = "processes",
    workers: Annotated[int | None, typer.Option(min=1, show_default="all cores")] = None,
    device: Device = "cpu",
) -> None:
    """Attack a grid of settings and write a reconstruction set.

    Exit codes, where a set was written: 0 every attack found something; 4 some found nothing or diverged, in the
    settings that the last line names; 5 no attack found anything; 6 every attack diverged. 2 refused.
    """
    from semsim.bulk.engine import Engine
    from semsim.exceptions import InvalidConfiguration, InvalidOption

    one_of("--engine", engine, Engine)
    one_of("--device", device, DEVICES)
    if device != "cpu" and engine == Engine.PROCESSES:
        raise InvalidOption("expected --engine here or ray with --device cuda, got processes")
    if not config.is_file():
        raise InvalidConfiguration(f"expected a configuration at {config}, got none")

    from semsim.commands.progress_bar import progress_bar
    from semsim_training.reconstructions.generate import generate
    from semsim_training.reconstructions.grid import Grid
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
    from semsim_training.reconstructions.unexplained_settings import unexplained_settings

    with progress_bar() as show:
        made = generate(
            Grid.read(config), config.parent, out,
            engine=Engine(engine), workers=workers, device=present(device), progress=show,
        )  # fmt: skip
    rows = ReconstructionSet.read(out).rows
    counts = Counter(row.status for row in rows)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    typer.echo(f"{out}: {made.rows} reconstructions in {made.settings} settings: {statuses}")
    unexplained = unexplained_settings(rows)
    if not unexplained:
        return
    if counts["diverged"] == made.rows:
        last, code = "could not tell: every attack diverged", EXIT_DIVERGED
    elif counts["nothing_found"] + counts["diverged"] == made.rows:
        last, code = "could not tell: no attack found anything", EXIT_NOTHING_FOUND
    else:
        last, code = f"could not tell in {unexplained}", EXIT_PARTLY
    typer.echo(last)
    raise typer.Exit(code)


app.command("gallery", epilog="Example: semsim attack gallery build/cifar10 --out gallery.png")(gallery)
app.command("table", epilog="Example: semsim attack table build/cifar10")(table)
app.command("compare", epilog="Example: semsim attack compare build/cifar10 --by attack")(compare)
app.command("example", epilog="Example: semsim attack example")(example)
app.command(
    "train-generator",
    epilog="Example: semsim attack train-generator configs/generators/cifar10.yaml build/cifar10.safetensors",
)(train_generator_of)


@app.command("list", epilog="Example: semsim attack list")
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
