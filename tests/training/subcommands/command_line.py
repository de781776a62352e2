"""The command line in the process of the tests."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Done:
    """The end of a command."""

    returncode: int
    stdout: str
    stderr: str


class Command(Protocol):
    """Runs the command line in this process."""

    def __call__(self, *arguments: object) -> Done:
        """Run ``semsim`` with arguments."""
