"""The last step of commands that make a table: into a page of the documentation, or onto the screen."""

from pathlib import Path

import typer


def checked(page: Path | None, mark: str) -> None:
    """Refuse a page without marks before any work.

    Raises:
        InvalidOption: there is no such page, or it does not hold the mark twice.
    """
    from semsim_training.markdown import around_marks

    if page is not None:
        around_marks(page, mark)


def told(text: str, page: Path | None, mark: str) -> None:
    """Write a table between the marks of a page, with the errors of :func:`checked`, or print it."""
    from semsim_training.markdown import write_between

    if page is None:
        typer.echo(text)
    else:
        write_between(page, mark, text)
