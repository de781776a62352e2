"""``semsim``: gathers the sub-commands that the installed packages register."""

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

import semsim
from semsim.commands.extras import PROJECT, extra_with
from semsim.exceptions import ErrorCode, SemSimError

GROUP = "semsim.commands"

EXIT_FAILED_PAIRS = 1
EXIT_REFUSED = 2
EXIT_LEAKS = 3
EXIT_INTERRUPTED = 130


class _EntryPointGroup(TyperGroup):
    """Loads a sub-command when it is called, so that nobody waits for torch to read a manifest."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(_commands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = _commands().get(cmd_name)
        if entry is None:
            return None
        sub_app = entry.load()
        sub_app._add_completion = False  # it would install itself under the name of the whole command
        command = typer.main.get_command(sub_app)
        command.name = cmd_name
        return _with_example(command)


def _with_example(command: Any) -> Any:
    """A group of commands, and the groups in it, with the example of the first of its commands."""
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        first = _with_example(command.get_command(None, name))
        command.epilog = command.epilog or first.epilog
    return command


def _commands() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


app = typer.Typer(
    cls=_EntryPointGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Would a person recognise what a gradient-inversion attack rebuilt?",
    epilog="Example: semsim score original.png reconstruction.png. "
    "Exit codes: 0 done; 1 not everything could be scored; 2 refused, with the reason; "
    "3 a leakage above --fail-above; 4 to 6 what an attack did not explain, see attack run.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(semsim.__version__)
        raise typer.Exit


@app.callback()
def _semsim(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def main(command: Callable[[], Any] = partial(app, prog_name=PROJECT)) -> None:  # noqa: B008
    """Run a command line. Errors of the project and of the system end it with one line on stderr and exit code 2."""
    try:
        command()
    except SemSimError as error:
        _refuse(error.code, str(error))
    except OSError as error:  # no space or no permission; a broken pipe ends quietly before it gets here
        where = "" if error.filename is None else f" at {error.filename}"
        reason = error.strerror or type(error).__name__
        _refuse(ErrorCode.SYSTEM_ERROR, f"expected to read and write what was named, got {reason}{where}")
    except ModuleNotFoundError as error:
        called = _commands().get("".join(sys.argv[1:2]))
        extra = extra_with(error.name or "", preferred=() if called is None else tuple(called.extras))
        if extra is None:
            raise
        message = f"this command needs {error.name}, which is not installed: pip install '{PROJECT}[{extra}]'"
        _refuse(ErrorCode.MISSING_EXTRA, message)


def _refuse(code: ErrorCode, message: str) -> None:
    line = " ".join(f"error [{code}]: {message}".splitlines())  # a name that the message quotes may have several
    typer.echo(line, err=True)
    _forget_unwritten()
    sys.exit(EXIT_REFUSED)


def _forget_unwritten() -> None:
    """Give up on output that a full disk refused: Python would try again at its exit, and change the exit code."""
    if sys.stdout is None:  # the caller closed it
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
