"""A bento of the project, as `bentoml build` makes it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bento:
    """A built bento."""

    home: Path
    """The BENTOML_HOME that holds it."""
    tag: str

    @property
    def directory(self) -> Path:
        """The directory of its files."""
        return self.home / "bentos" / self.tag.replace(":", "/")


def build_bento(home: Path) -> Bento:
    """Build a bento of the working tree."""
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Bento(home, built.stdout.strip().removeprefix("__tag__:"))
