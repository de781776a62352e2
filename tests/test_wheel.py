"""The wheel: complete, with names that are this project's own, and never shadowed by a user's files."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import IMAGES, ROOT
from tests.service.live import CLIENT, serving

pytestmark = pytest.mark.slow

PACKAGES = {
    "semsim": ROOT / "semsim",
    "semsim_service": ROOT / "service" / "semsim_service",
    "semsim_training": ROOT / "training" / "semsim_training",
    "semsim_export": ROOT / "export" / "semsim_export",
}
USERS_MODULES = ("training", "service", "export", "tests", "federation", "examples", "benchmarks")
NEEDED_BY_BENTOML = ("bentoml", "typing", "yaml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that has the wheel, and all other packages from this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(command, check=True, capture_output=True)
    (site_packages,) = home.glob("lib/python*/site-packages")
    # Python does not read the .pth files, such as that of an editable install, of a folder that a .pth file names.
    (site_packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a pair of images, and modules that must not be imported."""
    folder = tmp_path_factory.mktemp("user")
    for name in USERS_MODULES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('imported {name}.py of the user')\n")
    shutil.copy(IMAGES / "cat_32.png", folder / "original.png")
    shutil.copy(IMAGES / "cat_32" / "600.png", folder / "reconstruction.png")
    return folder


def run(command: list[str | Path], folder: Path) -> str:
    """Run ``command`` in ``folder``, without variables that tell Python where modules are, and return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout


def test_the_wheel_holds_everything_under_names_of_its_own(wheel: Path) -> None:
    """Every file of the packages and the bundled model is in the wheel, below the four packages and nowhere else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(PACKAGES)
    assert len(roots) == len(PACKAGES) + 1
    expected = {f"semsim/models/semsim-default/{path.name}" for path in (ROOT / "models" / "semsim-default").iterdir()}
    for package, directory in PACKAGES.items():
        files = [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        expected |= {f"{package}/{path.relative_to(directory).as_posix()}" for path in files}
    assert {name for name in names if ".dist-info/" not in name} == expected
    suffixes = {Path(name).suffix for name in expected}
    assert suffixes >= {".py", ".pyi", ".proto", ".html", ".md", ".css", ".js", ".cpp", ".hpp", ".onnx", ".typed"}
    assert "semsim_service/protos/semsim/v1/scorer_pb2_grpc.py" in names


def test_the_packages_come_from_the_wheel(installed: Path, folder: Path) -> None:
    """The environment of these tests runs the installed wheel, not this working tree."""
    program = f"import {', '.join(PACKAGES)}; print(*(module.__file__ for module in ({', '.join(PACKAGES)})))"
    files = run([installed / "python", "-c", program], folder).split()
    assert len(files) == len(PACKAGES)
    assert all(Path(file).is_relative_to(installed.parent) for file in files)


def test_a_command_imports_no_module_of_the_user(installed: Path, folder: Path) -> None:
    """`semsim attack list` works in a folder whose modules are named as rooms of the repository are."""
    assert "dlg" in run([installed / "semsim", "attack", "list"], folder)


def test_the_readmes_python_block_works(installed: Path, folder: Path) -> None:
    """The README's Python block scores a pair in such a folder, with the bundled model of the wheel."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    *lines, last = block.splitlines()
    program = "\n".join([*lines, f"print({last})"])
    distance = float(run([installed / "python", "-c", program], folder))
    assert 0 < distance < 0.7


def test_serving_imports_no_module_of_the_user(installed: Path, folder: Path, tmp_path: Path) -> None:
    """`semsim serve` gets ready and scores in such a folder, even where a module is named as one that BentoML needs."""
    for name in NEEDED_BY_BENTOML:
        (folder / f"{name}.py").write_text(f"raise SystemExit('imported {name}.py of the user')\n")
    with serving(tmp_path, [str(installed / "semsim"), "serve"], cwd=folder) as live:
        files = {name: (folder / f"{name}.png").read_bytes() for name in ("original", "reconstruction")}
        answer = CLIENT.post(f"{live.url}/score", files=files)
        log = live.log
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.content)["results"][0]["recognizable"] is True
    assert b"of the user" not in log
