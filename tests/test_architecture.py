"""Rules that hold the layout together."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.syntax import parsed

PACKAGES = {
    "semsim": ROOT / "semsim",
    "semsim_training": ROOT / "training" / "semsim_training",
    "semsim_export": ROOT / "export" / "semsim_export",
    "semsim_service": ROOT / "service" / "semsim_service",
    "semsim_federation": ROOT / "federation" / "semsim_federation",
}
"""The installed packages."""
ALLOWED = {
    "semsim": set(),
    "semsim_training": {"semsim"},
    "semsim_export": {"semsim_training", "semsim"},
    "semsim_service": {"semsim"},
    "semsim_federation": {"semsim_training", "semsim"},
    "benchmarks": {*PACKAGES, "examples"},
    "examples": {*PACKAGES},
}
"""The packages that each package may import, beside itself."""
FLOORS = {
    "semsim": "protos written_yaml schema_mistakes stages memory progress calibration error_codes exceptions images "
    "uninformative pixel_metrics chance manifest artifact providers pairs embedder distinct "
    "metric_artifact lpips_artifact lpips_network pair_score scorer controls fid "
    "summary torch client bulk commands __main__",
    "semsim_training": "seeds machine markdown plug_ins configuration decay statistics distributed "
    "fitting levels backbones embedding checkpoint client_images gradients defenses victims observations attacks "
    "reference_metrics reconstructions scale_report annotation recognition judged "
    "uninformative_report control_report altered_report faithfulness metric subcommands",
    "semsim_export": "graph lowered_graph provider_sessions provider_report precision_report time_curve parity "
    "parity_pairs artifact_export export_command control_export "
    "export_controls_command lpips_graph lpips_export export_lpips_command "
    "fid_export export_fid_command",
    "semsim_service": "settings setting_origins access core observing web_page http grpc_transport host service "
    "serve_command doctor_command __main__",
    "semsim_federation": "leakage_report audited_images found_images time_limit search_cost attempts audit guard "
    "series series_plot audit_gallery audit_metrics image_folders audit_run audit_run_command audit_command "
    "flower_options flower_guard flower_probe flower nvflare_client nvflare_reply nvflare_filter nvflare_metric "
    "nvflare",
    "benchmarks": "harness attack_cases attacks attacks_on_gpu labels local_training presets serving scoring soak "
    "overload malformed networks damage goals",
}
"""The rooms of each package from the ground up: a room imports only rooms that are named before it."""
FORBIDDEN_IN_LIBRARY = {"torch", "torchvision", "timm", "bentoml", "starlette", "fastapi"}
GENERATED = re.compile(r"_pb2(_grpc)?$")


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name, tests apart."""
    folders = PACKAGES | {"benchmarks": ROOT / "benchmarks", "examples": ROOT / "examples"}
    names = {}
    for package, folder in folders.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            names[".".join((package, *parts)).removesuffix(".__init__")] = path
    return names


@cache
def imports(name: str) -> frozenset[str]:
    """The modules of ours that a module imports, anywhere in it but under ``TYPE_CHECKING``."""
    known, tree = modules(), parsed(modules()[name])
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= (inner & known.keys()) or {node.module}
    return frozenset(imported & known.keys() - {name})


def third_parties(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def room(name: str) -> str:
    """The room of a module: the folder below its package, or the module itself where it stands at the top."""
    return ".".join(name.split(".")[:2])


def classes() -> Iterator[tuple[str, str]]:
    """Every class of the installed packages with its module, generated code apart."""
    for name, path in modules().items():
        if name.partition(".")[0] in PACKAGES and not GENERATED.search(path.stem):
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.ClassDef):
                    yield node.name, name


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_one_way(package: str) -> None:
    """Packages import as ``ALLOWED`` says, and none imports tests."""
    ours = {*PACKAGES, "tests", "benchmarks", "examples", "training", "service", "export", "federation"}
    for name, path in modules().items():
        if name.partition(".")[0] == package:
            wrong = third_parties(path) & ours - ALLOWED[package] - {package}
            assert not wrong, f"{name} imports {wrong}"


def test_no_module_imports_itself_through_others() -> None:
    """The graph of imports has no circle, between modules and between rooms."""
    between = {name: imports(name) for name in modules()}
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, imported in between.items():
        rooms[room(name)] |= {room(other) for other in imported} - {room(name)}
    for graph in (between, rooms):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_downwards(package: str) -> None:
    """Each room imports only the rooms that stand below it."""
    floors = FLOORS[package].split()
    rooms = {room(name).partition(".")[2] for name in modules() if name.startswith(f"{package}.")}
    assert rooms == set(floors), "FLOORS names every room once, from the ground up"
    for name in modules():
        upper = room(name).partition(".")[2]
        for other in imports(name):
            below = room(other).partition(".")[2]
            if upper and below and name.partition(".")[0] == other.partition(".")[0] == package and upper != below:
                assert floors.index(below) < floors.index(upper), f"{name} imports {other}, which stands above it"


def test_names_occur_once() -> None:
    """No class, no module and no package within the installed packages has the name of another one."""
    installed = [name for name in modules() if name.partition(".")[0] in PACKAGES and ".protos." not in name]
    leaves = Counter(name.rpartition(".")[2] for name in installed if "." in name)
    leaves.pop("__main__")
    for counts in (leaves, Counter(name for name, _ in classes())):
        assert not [name for name, count in counts.items() if count > 1]


def test_the_library_needs_no_framework() -> None:
    """semsim/ imports neither torch nor a web framework; semsim.torch imports torch alone, and nothing imports it."""
    for path in (ROOT / "semsim").rglob("*.py"):
        allowed = {"torch"} if path.is_relative_to(ROOT / "semsim" / "torch") else set()
        assert not third_parties(path) & FORBIDDEN_IN_LIBRARY - allowed, path
    for name in modules():
        assert room(name) == "semsim.torch" or "semsim.torch" not in map(room, imports(name)), name


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
    for name, path in modules().items():
        assert len(path.read_text().splitlines()) <= 320, name


def test_benchmarks_stay_small() -> None:
    """The benchmarks are at most 6,400 lines; those beside the sources of attacks are 1,300 more."""
    lines = {name: path.read_text().count("\n") for name, path in modules().items() if name.startswith("benchmarks")}
    of_attacks = sum(count for name, count in lines.items() if re.match(r"benchmarks\.(attack|networks|presets)", name))
    assert of_attacks <= 1300
    assert sum(lines.values()) - of_attacks <= 6400
