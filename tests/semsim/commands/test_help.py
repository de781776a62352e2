"""Help and completion of the whole command, with the sub-commands of all packages."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from semsim.commands.main import app
from tests.semsim.commands.conftest import Semsim


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with its path, from the root."""
    yield path, command
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from commands(command.get_command(None, name), (*path, name))


EVERY = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_help_has_an_example_that_fits_its_command(path: tuple[str, ...]) -> None:
    """The example's options exist, and no argument and no option that the command needs is missing in it."""
    command = EVERY[path]
    assert command.epilog is not None
    assert command.epilog.startswith("Example: semsim ")
    if hasattr(command, "list_commands"):
        return
    program, *words = shlex.split(command.epilog.removeprefix("Example: "))
    assert (program, *words[: len(path)]) == ("semsim", *path)
    given, rest, _ = command.make_parser(typer.Context(command)).parse_args(words[len(path) :])
    assert not rest
    for parameter in command.params:
        assert not parameter.required or given.get(parameter.name) not in (None, (), [])


def test_only_the_root_offers_completion() -> None:
    """A sub-command would install it under the name of the whole command."""
    for path, command in EVERY.items():
        names = {name for parameter in command.params for name in parameter.opts}
        assert ("--install-completion" in names) == (not path), path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("semsim sco", {"score", "score-dir", "score-set", "score-table"}),
        ("semsim annotate label-studio ", {"export", "import"}),
        ("semsim score-dir --fail-s", {"--fail-share"}),
    ],
)
def test_completion_works_from_the_root(
    semsim: Semsim, monkeypatch: pytest.MonkeyPatch, words: str, offered: set[str]
) -> None:
    """The script that --install-completion installs calls the command, which offers commands, groups and options."""
    monkeypatch.setenv("_SEMSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    shown = semsim()
    assert (shown.returncode, set(shown.stdout.split())) == (0, offered)


def test_the_script_of_completion_is_shown(monkeypatch: pytest.MonkeyPatch, semsim: Semsim) -> None:
    """--show-completion prints the script of the shell."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = semsim("--show-completion", "bash")
    assert "_SEMSIM_COMPLETE=complete_bash" in shown.stdout


def test_the_library_runs_as_a_module() -> None:
    """`python -m semsim` is the command."""
    command = [sys.executable, "-m", "semsim", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.strip()
