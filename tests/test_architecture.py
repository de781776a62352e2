"""Rules that hold the layout together."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("semsim", "semsim_service", "semsim_training", "semsim_export")
ALLOWED = {
    "semsim": {"semsim"},
    "semsim_service": {"semsim_service", "semsim"},
    "semsim_training": {"semsim_training", "semsim"},
    "semsim_export": {"semsim_export", "semsim_training", "semsim"},
}
FOLDERS = {name: ROOT / name.removeprefix("semsim_") / name if "_" in name else ROOT / name for name in PACKAGES}
FORBIDDEN_IN_LIBRARY = {"torch", "torchvision", "timm", "bentoml", "starlette", "fastapi"}


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """Training -> semsim, export -> training and semsim, service -> semsim, and nothing else."""
    for path in FOLDERS[package].rglob("*.py"):
        ours = imported_packages(path) & {*PACKAGES, "tests", "benchmarks", "examples"}
        assert ours <= ALLOWED[package], f"{path} imports {ours - ALLOWED[package]}"


def test_the_library_needs_no_framework() -> None:
    """semsim/ imports neither torch nor a web framework."""
    for path in (ROOT / "semsim").rglob("*.py"):
        assert not imported_packages(path) & FORBIDDEN_IN_LIBRARY, path


def test_importing_the_service_never_imports_torch() -> None:
    """`import semsim_service.service` leaves torch alone, in a process of its own."""
    code = "import semsim_service.service, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_serving_requirements_hold_no_torch() -> None:
    """`make serve` installs no torch."""
    lines = (ROOT / "requirements" / "serve.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines if "==" in line}
    assert "bentoml" in names
    assert not names & {"torch", "torchvision", "timm"}


def test_exported_names_exist_and_modules_are_small() -> None:
    """Modules stay under 320 lines; the exported names exist."""
    import semsim

    for name in semsim.__all__:
        assert getattr(semsim, name) is not None
    for package in PACKAGES:
        for path in FOLDERS[package].rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 320, path
