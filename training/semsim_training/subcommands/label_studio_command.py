"""``semsim annotate label-studio``: sends tasks out, and takes annotations in."""

from pathlib import Path
from typing import Annotated

import typer

from semsim_training.subcommands.annotation_options import Limit, Noise, Split, splits
from semsim_training.subcommands.judgement_import import take_in

app = typer.Typer(no_args_is_help=True, help="Exchange tasks and annotations with Label Studio, as JSON.")


@app.command(
    "export",
    epilog="Example: semsim annotate label-studio export datasets/cifar10 project --split test --clean 10 --noise 5",
)
def export(
    dataset: Annotated[Path, typer.Argument(help="A finished reconstruction set.")],
    out: Annotated[Path, typer.Argument(help="Directory for tasks.json and config.xml.")],
    key: Annotated[Path | None, typer.Option(help="File for the key.", show_default="OUT.key.json")] = None,
    split: Split = None,
    limit: Limit = None,
    clean: Annotated[int, typer.Option(min=0, help="Gold: how many clean originals, of the other splits.")] = 0,
    noise: Noise = 0,
    side: Annotated[int, typer.Option(min=32, help="Side of the images, pixels.")] = 256,
    judgements: Annotated[Path | None, typer.Option(help="Table of judgements to send along.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice of items and of their order.")] = 0,
) -> None:
    """Write tasks and the labelling interface for a Label Studio project."""
    from semsim_training.annotation.judgements import read
    from semsim_training.annotation.label_studio.labelling_tasks import write_tasks

    key_path = key or out.with_name(f"{out.name}.key.json")
    made = write_tasks(
        dataset, out, key_path,
        splits=splits(split), limit=limit, clean=clean, noise=noise, seed=seed, side=side,
        judgements=read(judgements) if judgements else (),
    )  # fmt: skip
    typer.echo(f"{out}: {len(made.items)} tasks; key at {key_path}")


@app.command(
    "import",
    epilog="Example: semsim annotate label-studio import project.key.json export.json judgements --annotator 1=ada",
)
def import_export(
    key: Annotated[Path, typer.Argument(help="The key of the tasks.")],
    exported: Annotated[Path, typer.Argument(help="JSON or JSON-MIN, as Label Studio exports it.")],
    table: Annotated[Path, typer.Argument(help="Directory of the table of judgements.")],
    annotator: Annotated[
        list[str] | None,
        typer.Option(metavar="USER=NAME", help="Pseudonym of a user, by number or address."),
    ] = None,
) -> None:
    """Add the annotations that the table does not have yet.

    Exit codes: 0 all are in the table; 1 some were refused, each is told, and the others are in the table; 2 refused.
    """
    from semsim_training.annotation.keys import TaskKey
    from semsim_training.annotation.label_studio.labelling_export import read_export

    take_in(table, read_export(TaskKey.read(key), exported, _names(annotator or [])))


def _names(pairs: list[str]) -> dict[str, str]:
    from semsim.exceptions import InvalidOption

    for pair in pairs:
        if not all(pair.partition("=")):
            raise InvalidOption(f"expected --annotator USER=NAME, got {pair}")
    return {user: name for user, _, name in (pair.partition("=") for pair in pairs)}
