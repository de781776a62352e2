"""Warnings about a run over two directories: what took part in no pair, and of what nothing can be told."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from semsim.bulk.run import Run

_NAMED = 3
"""The files of a kind that are named."""


def warn_of(run: "Run") -> None:
    """Tell on stderr of what was skipped, is without a partner, or shows nothing, by name and by number."""
    from semsim.bulk.rows import text
    from semsim.uninformative import Uninformative

    if run.matching.note:
        typer.echo(text(run.matching.note), err=True)
    if left := run.left_by_desktops:
        typer.echo(f"ignored what a desktop left there: {len(left)}, such as {text(left[0].as_posix())}", err=True)
    empty = [row.original or "" for row in run.rows if row.uninformative == Uninformative.ORIGINAL]
    for what, names in (
        ("skipped original", [f"{one.path.as_posix()}: {one.reason}" for one in run.skipped_originals]),
        ("skipped reconstruction", [f"{one.path.as_posix()}: {one.reason}" for one in run.skipped_reconstructions]),
        ("original without a reconstruction", [path.as_posix() for path in run.matching.lone_originals]),
        ("reconstruction without an original", [path.as_posix() for path in run.matching.lone_reconstructions]),
        ("original that shows nothing", list(dict.fromkeys(empty))),
        *(
            (why.reason, [row.reconstruction or "" for row in run.rows if row.uninformative == why])
            for why in Uninformative
            if why is not Uninformative.ORIGINAL
        ),
    ):
        for name in names[:_NAMED]:
            typer.echo(f"{what}: {text(name)}", err=True)
        if len(names) > _NAMED:
            typer.echo(f"{what}: {len(names) - _NAMED} more", err=True)
