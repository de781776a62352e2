"""A missing module: the command says which extra installs it, or lets the error through."""

import ast
import importlib
import json
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from semsim.commands.extras import extra_with
from semsim.commands.main import main
from tests.conftest import IMAGES, ROOT
from tests.semsim.commands.conftest import Semsim
from tests.syntax import parsed

PACKAGES = ("semsim", "service/semsim_service", "training/semsim_training", "export/semsim_export")
WITHOUT_AN_EXTRA = {
    *("numpy", "onnxruntime", "PIL", "isal", "pydantic", "pyspng", "simplejpeg", "typer"),  # always installed
    *("_bentoml_impl", "click", "pydantic_core"),  # parts of packages that extras name
    "grpc_tools",  # used where the stubs are generated
}
CASES = [
    ("torch", "attack run --model before.safetensors --update gradient.safetensors --out out", "train"),
    ("torch", "export weights.safetensors out --images images", "train"),
    ("bentoml", "serve", "serve"),
    ("pyarrow", "score-dir originals reconstructions -o out.parquet", "bulk"),
    ("pyarrow", "attack gallery set --out gallery.png", "train"),
    ("pyarrow", "annotate sheets set out --annotator ada", "annotate"),
]
PROGRAM = """
import contextlib, io, json, sys
from semsim.commands.main import main

printed = []
for missing, command in json.loads(sys.argv[1]):
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        del sys.modules[name]
    sys.modules[missing] = None
    sys.argv = ["semsim", *command.split()]
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            main()
        except SystemExit as end:
            status = end.code
    printed.append((status, stderr.getvalue()))
    del sys.modules[missing]
print(json.dumps(printed))
"""
"""A program that runs one command after another, each without one module."""


def test_without_an_installation_no_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that run without metadata, as in the image, let the error of the missing module through."""
    monkeypatch.setattr("semsim.commands.extras.PROJECT", "no-such-distribution")
    assert extra_with("torch", ()) is None


def test_the_extra_that_installs_the_missing_module_is_named(tmp_path: Path) -> None:
    """One line names the extra that installs the module, not another one that the command needs and has."""
    for name in ("before.safetensors", "gradient.safetensors"):
        (tmp_path / name).touch()
    arguments = json.dumps([(missing, command) for missing, command, _ in CASES])
    command = [sys.executable, "-c", PROGRAM, arguments]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for (missing, command, extra), (status, error) in zip(CASES, json.loads(shown.stdout), strict=True):
        assert status == 2, command
        assert error.startswith("error [missing_extra]: "), command
        assert missing in error
        assert error.endswith(f"pip install 'semsim[{extra}]'\n"), command
        assert error.count("\n") == 1


@pytest.mark.parametrize("missing", ["semsim.bulk.run", "semsim.bulk.rows"])
def test_a_missing_module_of_ours_is_no_missing_extra(
    monkeypatch: pytest.MonkeyPatch, semsim: Semsim, missing: str
) -> None:
    """An installation that lacks one of the project's own modules is broken: the error says which."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        semsim("score-dir", IMAGES, IMAGES)
    assert caught.value.name == missing


@pytest.mark.parametrize("missing", ["no_such_module", "semsim_training.no_such_module", "pyarrow.no_such_module"])
def test_a_missing_module_that_no_extra_installs_is_no_missing_extra(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """An error that no extra would mend stays as it is, also within a command that needs extras."""
    monkeypatch.setattr("sys.argv", ["semsim", "train", "run"])
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        main(lambda: importlib.import_module(missing))


def test_several_extras_with_one_module() -> None:
    """The extra that the command needs anyway is named, else the one that installs least."""
    assert extra_with("pyarrow", ("annotate",)) == "annotate"
    assert extra_with("pyarrow", ("serve",)) == "bulk"
    assert extra_with("pyarrow", ()) == "bulk"


def test_every_module_that_is_imported_has_its_extra() -> None:
    """Each third-party module that the packages import is found in an extra, whatever its distribution is called."""
    imported: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                    imported.add(node.module.partition(".")[0])
    others = {name for name in imported if name not in sys.stdlib_module_names and not name.startswith("semsim")}
    assert {name for name in others if extra_with(name, ()) is None} <= WITHOUT_AN_EXTRA
    assert extra_with("google.protobuf", ("serve",)) == extra_with("opentelemetry.exporter", ()) == "serve"
    assert any("extra == 'train'" in requirement for requirement in requires("semsim") or ())
