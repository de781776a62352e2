"""The semsim command in this process, for tests in which the process is not the point."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from semsim.commands.main import main


@dataclass(frozen=True)
class Finished:
    """The exit code of a command, and everything that it printed."""

    returncode: int
    stdout: str
    stderr: str


Semsim = Callable[..., Finished]
"""A function that runs ``semsim`` with its arguments."""


@pytest.fixture
def semsim(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Semsim:
    """The command in this process, from its arguments to its exit code."""
    # The real one would change how the whole test process holds its memory.
    monkeypatch.setattr("semsim.memory.keep_freed_memory", lambda: None)

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr("sys.argv", ["semsim", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Finished(ended.value.code, *capfd.readouterr())

    return run
