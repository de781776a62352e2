"""``semsim annotate``: who recognises what."""

import typer

app = typer.Typer(no_args_is_help=True, help="Collect and compare judgements of reconstructions.")
