"""``semsim attack example``: grids to begin with, and every field of a grid."""

from pathlib import Path
from typing import Annotated

import typer

from semsim_training.subcommands.page_tables import told


def example(
    name: Annotated[str | None, typer.Argument(help="The example to print.", show_default="own-images")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Name the examples.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Every field of a grid, as Markdown.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="With --schema: Markdown file, to write between its <!-- grid-schema --> marks.")
    ] = None,
) -> None:
    """Print a grid of attacks: semsim attack example > grid.yaml."""
    from semsim.exceptions import InvalidOption
    from semsim_training.reconstructions.examples import EXAMPLES, example_text

    if write is not None and not schema:
        raise InvalidOption("expected --write with --schema, got it alone")
    if schema:
        from semsim_training.reconstructions.grid_schema import schema_table

        told(schema_table(), write, "grid-schema")
    elif list_all:
        for one, example in EXAMPLES.items():
            typer.echo(f"{one:18} {example.summary}")
    else:
        typer.echo(example_text(name or next(iter(EXAMPLES))), nl=False)
