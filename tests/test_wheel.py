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
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from safetensors.torch import save_file
from torch import nn

from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.conftest import IMAGES, ROOT
from tests.service.live import CLIENT, serving
from tests.training.reconstructions.small_grid import write_images

pytestmark = pytest.mark.slow

PACKAGES = {
    "semsim": ROOT / "semsim",
    "semsim_service": ROOT / "service" / "semsim_service",
    "semsim_training": ROOT / "training" / "semsim_training",
    "semsim_export": ROOT / "export" / "semsim_export",
    "semsim_federation": ROOT / "federation" / "semsim_federation",
}
USERS_MODULES = ("training", "service", "export", "tests", "federation", "examples", "benchmarks")
NEEDED_BY_BENTOML = ("bentoml", "typing", "yaml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this working tree."""
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(source: Path, folder: Path) -> Path:
    """The wheel of a package's source, built in ``folder``."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def install(wheel: Path, python: Path) -> None:
    """Install a wheel, and nothing that it depends on, into the environment of ``python``."""
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(command, check=True, capture_output=True)


def environment_with(wheel: Path, home: Path) -> tuple[Path, Path]:
    """The folder of commands and the site-packages of a new environment at ``home`` that has the wheel alone."""
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    install(wheel, python)
    (site_packages,) = home.glob("lib/python*/site-packages")
    return python.parent, site_packages


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that has the wheel, and all other packages from this one."""
    commands, site_packages = environment_with(wheel, tmp_path_factory.mktemp("environment"))
    # Python does not read the .pth files, such as that of an editable install, of a folder that a .pth file names.
    (site_packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return commands


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that has the wheel and what it depends on, without any extra."""
    commands, site_packages = environment_with(wheel, tmp_path_factory.mktemp("bare"))
    for name in dependencies_of("semsim") - {"semsim"}:
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site_packages / top).exists():
                (site_packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    return commands


def dependencies_of(name: str) -> set[str]:
    """A distribution and all that it depends on without its extras, here."""
    names, waiting = set(), [name]
    while waiting:
        names.add(name := waiting.pop())
        needed = (Requirement(text) for text in requires(name) or ())
        wanted = {one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
        waiting += wanted - names
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a pair of images, and modules that must not be imported."""
    folder = tmp_path_factory.mktemp("user")
    for name in USERS_MODULES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('imported {name}.py of the user')\n")
    shutil.copy(IMAGES / "cat_32.png", folder / "original.png")
    shutil.copy(IMAGES / "cat_32" / "600.png", folder / "reconstruction.png")
    shutil.copytree(IMAGES, folder / "examples" / "images")
    return folder


def run(command: list[str | Path], folder: Path, passing: tuple[int, ...] = (0,)) -> str:
    """Run ``command`` in ``folder``, without variables that tell Python where modules are, and return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode in passing, shown.stdout + shown.stderr
    return shown.stdout


def test_the_wheel_holds_everything_under_names_of_its_own(wheel: Path) -> None:
    """Files of the packages, the bundled model and grids are in the wheel, below the five packages and nowhere else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(PACKAGES)
    assert len(roots) == len(PACKAGES) + 1
    expected = {f"semsim/models/semsim-default/{path.name}" for path in (ROOT / "models" / "semsim-default").iterdir()}
    expected |= {f"semsim_training/reconstructions/grids/{name}.yaml" for name in ("cifar10-many", "caltech101-many")}
    for package, directory in PACKAGES.items():
        files = [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        expected |= {f"{package}/{path.relative_to(directory).as_posix()}" for path in files}
    assert {name for name in names if ".dist-info/" not in name} == expected
    suffixes = {Path(name).suffix for name in expected}
    assert suffixes >= {".py", ".pyi", ".proto", ".html", ".md", ".css", ".js", ".cpp", ".hpp", ".onnx", ".typed"}
    assert "semsim/protos/semsim/v1/scorer_pb2_grpc.py" in names


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
    """The README's Python block, as it stands, scores a pair in such a folder, with the bundled model of the wheel."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shown = run([installed / "python", "-c", block], folder)
    (distance,) = re.findall(r"^PairScore\(distance=([\d.]+), leakage=0\.\d+, recognizable=True, ", shown)
    assert 0 < float(distance) < 0.7


def test_without_extras_it_scores_and_names_what_is_missing(bare: Path, folder: Path) -> None:
    """The wheel's own dependencies do to list attacks and to score; a command that needs more names the extra."""
    assert "dlg" in run([bare / "semsim", "attack", "list"], folder)
    assert "distance" in run([bare / "semsim", "score", "original.png", "reconstruction.png"], folder)
    remote = "score-dir", ".", ".", "--url", "http://127.0.0.1:3000"
    for command, extra in ((("serve",), "serve"), (remote, "client")):
        refused = subprocess.run([bare / "semsim", *command], cwd=folder, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert f"pip install 'semsim[{extra}]'" in refused.stderr


def test_a_package_of_plug_ins_works_beside_the_wheel(installed: Path, folder: Path, tmp_path: Path) -> None:
    """The package of docs/attacks.md is listed once it is installed; a grid and a single attack use it by name."""
    section = (ROOT / "docs" / "attacks.md").read_text().partition("## Your own attacks")[2].partition("\n## ")[0]
    package = tmp_path / "package"
    package.mkdir()
    for language in ("toml", "python", "yaml"):
        *_, block = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
        name = re.match(r"# (\S+)\n", block)
        (package / (name.group(1) if name else "grid.yaml")).write_text(block)
    write_images(package / "images")
    install(built(package, tmp_path), installed / "python")
    listed = run([installed / "semsim", "attack", "list"], folder)
    for line in ("strongest-row", "quantise", "two-layers"):
        assert re.search(rf"^{line} .* semsim-mine 0.1 \(semsim_mine:", listed, re.MULTILINE)
    grid = [installed / "semsim", "attack", "grid", "grid.yaml", "set", "--workers", "1"]
    run(grid, package, passing=(0, 4))  # 20 iterations need not find anything
    table = run([installed / "semsim", "attack", "table", "set"], package)
    assert "small--two-layers--strongest-row" in table
    assert "small--two-layers--patient-it20--quantise:64+clip:1" in table
    statuses = {(row.preset, row.defense): row.status for row in ReconstructionSet.read(package / "set").rows}
    assert statuses["strongest-row", "none"] == "matched"

    network = {"architecture": "two-layers", "width": 24, "classes": 2, "size": 16}
    (package / "before.json").write_text(json.dumps({"network": network}))
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 24), nn.Sigmoid(), nn.Linear(24, 2))
    nn.functional.cross_entropy(model(torch.rand(1, 3, 16, 16) - 0.5), torch.tensor([1])).backward()
    save_file(model.state_dict(), package / "before.safetensors")
    gradient = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    save_file(gradient, package / "gradient.safetensors")
    command = "attack run --model before.safetensors --update gradient.safetensors --attack strongest-row --out found"
    run([installed / "semsim", *command.split()], package)
    result = json.loads((package / "found" / "result.json").read_text())
    assert (result["attack"], result["status"], result["labels"]) == ("strongest-row", "matched", [1])


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
