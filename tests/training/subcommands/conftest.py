"""The command line in the process of the tests."""

import sys

import pytest

from semsim.commands.main import main
from tests.training.subcommands.command_line import Command, Done


@pytest.fixture
def semsim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process, which has imported torch already."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["semsim", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
            raise SystemExit(0)
        return Done(int(end.value.code or 0), *capsys.readouterr())

    return run
