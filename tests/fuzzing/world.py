"""The things that cases are tried on: a small calibrated model, a small victim, and a directory to write into."""

import json
import shutil
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import typer
from torch import nn

from semsim import Scorer
from semsim.commands import score_dir
from semsim.commands.main import main
from semsim.providers import Provider, ProviderSettings
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.observations.observation import Victim
from tests.artifacts import write_artifact
from tests.encoded import picture

CPU = ProviderSettings(order=(Provider.CPU,))


class Broken(AssertionError):
    """A rule of the project does not hold."""


def require(holds: object, rule: str) -> None:
    """Raise :class:`Broken` where a rule does not hold."""
    if not holds:
        raise Broken(rule)


@dataclass(frozen=True)
class World:
    """A directory of its own with everything that cases need."""

    home: Path
    seen: Counter[str] = field(default_factory=Counter)
    """How often each outcome came."""

    @cached_property
    def scorer(self) -> Scorer:
        """A small network that tells pictures apart, with a calibration."""
        path = self.home / "artifact"
        calibration = {"kind": "logistic", "slope": 4.0, "intercept": -8.0}
        if not path.exists():
            write_artifact(path, calibration=calibration, threshold=0.5)
        return Scorer(path, providers=CPU)

    @cached_property
    def pictures(self) -> list[np.ndarray]:
        """Pictures that are far apart for the scorer."""
        return [picture(24 + seed, 32, seed=seed) for seed in range(6)]

    @cached_property
    def victim(self) -> Victim:
        """A small victim with a batch normalisation."""
        model = nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(98, 2)).eval()
        return Victim(model, Inputs(size=(16, 16), classes=2, mean=(0.5,) * 3, std=(0.5,) * 3, white=1))

    def fresh(self) -> Path:
        """An empty directory."""
        path = self.home / "case"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def gate(self, *arguments: str) -> tuple[int, Any, str]:
        """``semsim score-dir``: its exit code, the JSON that it prints, and what it says to people."""
        printed, said = StringIO(), StringIO()
        command = typer.main.get_command(score_dir.app)
        with (
            patch.object(score_dir, "load_scorer", lambda *_, **__: self.scorer),
            patch("semsim.memory.keep_freed_memory", lambda: None),
            redirect_stdout(printed),
            redirect_stderr(said),
        ):
            try:
                main(lambda: command([*arguments, "--json"]))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else -1
                return code, json.loads(printed.getvalue() or "null"), said.getvalue()
        raise Broken("expected the command to end with an exit code, got none")
