"""Help and lists start without the packages that training, plotting and serving need."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

HEAVY = {"torch", "torchvision", "timm", "matplotlib", "sklearn", "scipy", "bentoml", "grpc"}
COMMANDS = (
    "--help", "attack list", "attack --help", "attack example", "attack example --list",
    "score-set --help", "victim --help", "train --help", "faithfulness --help", "annotate --help",
    "recogniser --help", "export --help", "serve --help", "model show",
)  # fmt: skip
LISTS = (
    "semsim_training.attacks.catalogue",
    "semsim_training.defenses.defense",
    "semsim_training.victims.description",
    "semsim_training.faithfulness.directions",
)
"""The modules that name all attacks, defenses, victims and metrics."""
PROGRAM = """
import contextlib, importlib, io, json, sys
from semsim.commands.main import main

commands, lists = json.loads(sys.argv[1])
loaded = {}
for name in lists:
    importlib.import_module(name)
    loaded[name] = 0, [*sys.modules]
for command in commands:
    sys.argv = ["semsim", *command.split()]
    status = 0
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            status = end.code
    loaded[command] = status, [*sys.modules]
print(json.dumps(loaded))
"""
"""Runs one after another in one process, and tells after each how it ended and which modules are there by then."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, tuple[int, list[str]]]:
    """The exit status of each command and list, and the modules that were there when it ended."""
    arguments = [sys.executable, "-c", PROGRAM, json.dumps((COMMANDS, LISTS))]
    return json.loads(subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT, text=True).stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [*LISTS, *COMMANDS])
def test_starts_without_heavy_packages(loaded: dict[str, tuple[int, list[str]]], name: str) -> None:
    """It ends well, and neither it nor what ran before it imported one of the heavy packages."""
    status, modules = loaded[name]
    assert not status
    assert not {module.partition(".")[0] for module in modules} & HEAVY
