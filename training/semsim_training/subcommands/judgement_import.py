"""The last step of every import of judgements: what is new goes into the table, and what was refused is told."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from semsim.commands.main import EXIT_FAILED_PAIRS

if TYPE_CHECKING:
    from semsim_training.annotation.taken_judgements import TakenJudgements


def take_in(table: Path, taken: "TakenJudgements") -> None:
    """Add the judgements that the table does not have yet; end with exit code 1 where some were refused.

    Raises:
        InvalidAnnotations: the table cannot be read.
    """
    from semsim_training.annotation.judgements import append, read
    from semsim_training.annotation.taken_judgements import not_yet_known, told

    new = not_yet_known(read(table), taken)
    append(table, new.judgements)
    there = len(taken.judgements) - len(new.judgements) - (len(new.refused) - len(taken.refused))
    typer.echo(f"{table}: {len(new.judgements)} judgements added, {there} there already, {len(new.refused)} refused")
    if new.refused:
        typer.echo(f"refused, and no judgements: {told(new.refused)}", err=True)
        raise typer.Exit(EXIT_FAILED_PAIRS)
