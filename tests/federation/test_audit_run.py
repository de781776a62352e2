"""``semsim audit run``: from a configuration to the page."""

import copy
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from semsim.exceptions import InvalidConfiguration
from semsim_federation.audit_command import app
from semsim_federation.audit_run import audit_experiment
from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_federation.audit_run.audit_schema import audit_schema
from semsim_training.plug_ins import plug_ins
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.victim_checkpoint import VictimDescription, save_victim
from tests.conftest import ROOT
from tests.federation.digits import scorer

SMALL = {
    "name": "a <b>small</b> one",
    "model": {"network": {"architecture": "perceptron", "width": 16, "classes": 10, "size": 16}},
    "images": {"published": "digits", "size": 16, "count": 400},
    "controls": 150,
    "training": {"learning_rate": 0.1, "batch_size": 4},
    "attacks": [],
    "axes": {"batches": [1, 2], "defenses": ["none", "gaussian:0.3"], "rounds": [0, 2]},
    "clients": 2,
    "seconds": 5,
    "federation": {"rounds": 2, "clients": 2, "images": 4, "seeds": 2, "test_images": 50},
}

PLUGGED = """
import numpy as np
import torch

def grey(observation):
    return np.full((observation.images, *observation.victim.inputs.size, 3), 128, dtype=np.uint8)

def same(tensors, value, rng):
    return tensors

class Small(torch.nn.Sequential):
    def __init__(self, inputs):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(768, inputs.classes))
"""

Run = Callable[..., Result]
WriteCode = Callable[[Mapping[str, str]], None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on a configuration with changes; the page is ``report.html``."""
    monkeypatch.setattr("semsim_federation.audit_run_command.load_scorer", lambda *_: scorer())

    def command(*options: str, **changes: Any) -> Result:
        (tmp_path / "audit.yaml").write_text(yaml.safe_dump(SMALL | changes))
        out = str(tmp_path / "report.html")
        return CliRunner().invoke(app, ["run", str(tmp_path / "audit.yaml"), "--out", out, *options])

    return command


def test_a_run_writes_a_page_that_loads_nothing(run: Run, tmp_path: Path) -> None:
    """The page has the verdict, charts and pictures inside, and text from outside is escaped."""
    result = run()
    assert result.exit_code == 3, result.output
    assert result.output.startswith("Updates leak: 4 of 4 audited updates")
    page = (tmp_path / "report.html").read_text()
    assert "Updates leak: 4 of 4 audited updates" in page
    assert not re.findall(r"<script|<link|@import|url\((?!#)|(?:src|href)=\"(?!data:)", page)
    assert "<b>small" not in page
    assert page.count('<svg class="chart"') == 4  # the passes are not varied, and there is one of accuracy
    assert 'alt="reconstruction"' in page
    assert 'alt="original"' not in page
    assert " safe" not in page


def test_the_json_has_the_numbers(run: Run, tmp_path: Path) -> None:
    """JSON has each way to take part, the cost of each defense and the hashes, and no picture."""
    run()
    content = json.loads((tmp_path / "report.json").read_text())
    ways = {one["way"]: one for one in content["ways"]}
    assert content["verdict"] == ways["as the clients take part"]["verdict"] == "leaks"
    assert ways["as the clients take part"]["share_leaked"]["value"] == 1
    noisy = ways["defense gaussian:0.3"]
    assert noisy["verdict"] == "could_not_tell"
    assert noisy["share_leaked"] is noisy["leakage"] is None
    assert noisy["share_leaked_possible"] == {"least": 0, "most": 1}
    assert [one["defense"] for one in content["defenses"]] == ["none", "gaussian:0.3"]
    assert content["defenses"][1]["change"]["low"] < content["defenses"][1]["change"]["high"]
    assert set(content["accuracy_by_round"]) == {"0", "2"}
    assert len(content["versions_and_hashes"]["images"]) == 64
    assert "iVBOR" not in json.dumps(content)


def test_originals_are_shown_only_where_asked(run: Run, tmp_path: Path) -> None:
    """The option shows originals without running anything again, and a configuration can withhold all pictures."""
    run()
    journal = sorted((tmp_path / "report.journal.jsonl").read_text().splitlines())
    assert run("--originals").exit_code == 3
    assert 'alt="original"' in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.html").stat().st_mode & 0o077 == 0
    assert run(shown="none").exit_code == 3
    assert "data:image" not in (tmp_path / "report.html").read_text()
    assert sorted((tmp_path / "report.journal.jsonl").read_text().splitlines()) == journal


def test_an_interrupted_run_goes_on(run: Run, tmp_path: Path) -> None:
    """A run without time could not tell, and says what is missing; a line that was cut short is done again."""
    early = run("--minutes", "0")
    assert early.exit_code == 4
    assert "4 not run" in early.output
    assert "is not complete" in (tmp_path / "report.html").read_text()
    assert run().exit_code == 3
    path = tmp_path / "report.journal.jsonl"
    whole = path.read_text()
    path.write_text(whole[: whole.index('"client":1') + 40])
    assert run().exit_code == 3
    assert len(path.read_text().splitlines()) == len(whole.splitlines())
    assert "is not complete" not in (tmp_path / "report.html").read_text()


def test_the_journal_of_something_else_is_refused(run: Run, tmp_path: Path) -> None:
    """Numbers of two configurations or networks are never mixed."""
    run("--minutes", "0")
    result = run(seed=1)
    assert "expected the journal of this run" in str(result.exception)
    assert "configuration, images" in str(result.exception)
    (tmp_path / "report.journal.jsonl").write_text("nonsense\n")
    assert "expected the journal of this run" in str(run().exception)


def test_the_journal_of_another_calibration_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same graph with another threshold finds other images recognizable. The journal is for its owner alone."""
    run("--minutes", "0")
    assert (tmp_path / "report.journal.jsonl").stat().st_mode & 0o077 == 0
    other = copy.copy(scorer())
    other.manifest = scorer().manifest.model_copy(update={"threshold": 0.9})
    monkeypatch.setattr("semsim_federation.audit_run_command.load_scorer", lambda *_: other)
    assert "got one of another calibration" in str(run().exception)


INPUTS = {"size": 16, "channels": 1, "classes": 10, "mean": 0.5, "std": 0.5, "white": 1}
NET = "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(256, 10), nn.{}())\n"
LAYER = """
import torch
from torch import nn

class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(256, 10)

    def forward(self, pixels):
        return torch.{function}(self.layer(pixels.flatten(1)))
"""
FUNCTION = "import torch\n\ndef activation(values):\n    return torch.{function}(values)\n"
CALLER = """
from torch import nn
from {module} import activation

class Net(nn.Linear):
    def __init__(self):
        super().__init__(256, 10)

    def forward(self, pixels):
        return activation(super().forward(pixels.flatten(1)))
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteCode]:
    """Write modules by their paths in the folder ``code``, where imports look; the process forgets them afterwards."""
    folder = tmp_path / "code"
    monkeypatch.syspath_prepend(str(folder))
    known = set(sys.modules)

    def write(modules: Mapping[str, str]) -> None:
        for name, text in modules.items():
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__spec__", None)):
            del sys.modules[name]


def changes_of(module: str) -> dict[str, Any]:
    """The changes that let clients train code of the user."""
    return {"model": {"module": module, "inputs": INPUTS}, "axes": {}, "federation": None}


def test_the_journal_of_other_code_is_refused(run: Run, tmp_path: Path) -> None:
    """Equal weights in a network of other layers leak otherwise."""
    (tmp_path / "task.py").write_text(NET.format("ReLU"))
    run("--minutes", "0", **changes_of("task.py:net"))
    (tmp_path / "task.py").write_text(NET.format("Tanh"))
    assert "got one of another code:" in str(run("--minutes", "0", **changes_of("task.py:net")).exception)


@pytest.mark.parametrize(
    ("module", "changed", "texts"),
    [
        ("semsim_nets:Net", "semsim_nets", {"semsim_nets": LAYER.replace("{name}", "Net")}),
        (
            "semsim_nets.small:Net",
            "semsim_layers",
            {
                "semsim_nets/small": CALLER.format(module="semsim_layers"),
                "semsim_layers": FUNCTION,
            },
        ),
        (
            "code/task.py:Net",
            "beside/activations",
            {"task": CALLER.format(module="beside.activations"), "beside/activations": FUNCTION},
        ),
        (
            "task.py:Net",
            "elsewhere",
            {"../task": "from elsewhere import Layer as Net\n", "elsewhere": LAYER.replace("{name}", "Layer")},
        ),
    ],
    ids=["a module", "a function beside a package", "a function beside a file", "a layer of another folder"],
)
def test_the_journal_of_other_imports_is_refused(
    run: Run, code: WriteCode, module: str, changed: str, texts: dict[str, str]
) -> None:
    """Whatever computes the network may be in another file than the one that the configuration names."""
    code({name: text.replace("{function}", "relu") for name, text in texts.items()})
    assert run("--minutes", "0", **changes_of(module)).exit_code == 4
    assert run("--minutes", "0", **changes_of(module)).exit_code == 4  # what did not change goes on
    code({changed: texts[changed].replace("{function}", "tanh")})
    assert "got one of another code:" in str(run("--minutes", "0", **changes_of(module)).exception)


def test_the_journal_of_other_options_of_layers_is_refused(run: Run, tmp_path: Path) -> None:
    """A network may read its options from a file that is no code. Addresses of functions are no options."""
    (tmp_path / "task.py").write_text(
        "from pathlib import Path\nfrom torch import nn\n\n"
        "class Shown(nn.Flatten):\n    def extra_repr(self):\n        return repr(object())\n\n"
        "def net():\n    kind = (Path(__file__).parent / 'kind').read_text()\n"
        "    return nn.Sequential(Shown(), nn.Linear(256, 10), getattr(nn, kind)())\n"
    )
    (tmp_path / "kind").write_text("ReLU")
    for _ in range(2):
        assert run("--minutes", "0", **changes_of("task.py:net")).exit_code == 4
    (tmp_path / "kind").write_text("Tanh")
    assert "got one of another code:" in str(run("--minutes", "0", **changes_of("task.py:net")).exception)


def test_code_that_nothing_runs_and_installed_packages_are_no_other_code(
    run: Run, tmp_path: Path, code: WriteCode
) -> None:
    """A file beside the network that it does not import changes nothing, nor does an environment in the folder."""
    packages = tmp_path / "code" / ".venv" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "semsim_installed.py").write_text("value = 1\n")
    header = f"import sys\nsys.path.append({str(packages)!r})\nimport semsim_installed\nsys.path.pop()\n"
    code({"task": header + NET.format("ReLU"), "unused": "value = 1\n"})
    assert run("--minutes", "0", **changes_of("code/task.py:net")).exit_code == 4
    (packages / "semsim_installed.py").write_text("value = 2\n")
    code({"unused": "value = 2\n"})
    assert run("--minutes", "0", **changes_of("code/task.py:net")).exit_code == 4


def test_of_an_installed_package_its_own_code_counts(
    run: Run, tmp_path: Path, code: WriteCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function in the package of the network changes the journal, and another package beside it does not."""
    packages = tmp_path / "code" / "site-packages"
    monkeypatch.syspath_prepend(str(packages))
    nets, layers, other = (f"site-packages/semsim_{name}" for name in ("nets/__init__", "nets/layers", "other"))
    code({nets: "import semsim_other\n" + CALLER.format(module="semsim_nets.layers"), other: "value = 1\n"})
    code({layers: FUNCTION.format(function="relu")})
    assert run("--minutes", "0", **changes_of("semsim_nets:Net")).exit_code == 4
    code({other: "value = 2\n"})
    assert run("--minutes", "0", **changes_of("semsim_nets:Net")).exit_code == 4
    code({layers: FUNCTION.format(function="tanh")})
    assert "got one of another code:" in str(run("--minutes", "0", **changes_of("semsim_nets:Net")).exception)


def test_the_journal_of_another_description_of_a_checkpoint_is_refused(run: Run, tmp_path: Path) -> None:
    """The normalisation stands beside the weights, in neither their hash nor the configuration's."""
    network = Network(**SMALL["model"]["network"])
    path = tmp_path / "victim.safetensors"
    for description in (network, network.model_copy(update={"mean": (100.0, 100.0, 100.0)})):
        save_victim(build_network(network, 0), VictimDescription(network=description), path)
        result = run("--minutes", "0", model={"checkpoint": "victim.safetensors"}, axes={}, federation=None)
    assert "got one of another inputs:" in str(result.exception)


def test_the_journal_of_another_version_of_a_plug_in_is_refused(run: Run, tmp_path: Path, code: WriteCode) -> None:
    """An attack, a defense and a victim of a package are told with its version, and their code is hashed."""
    info = tmp_path / "code" / "semsim_plugged-0.1.dist-info"
    info.mkdir(parents=True)
    entries = {"attack": "grey", "defense": "same", "victim": "Small"}
    lines = [f"[semsim.{kind}s]\n{name} = semsim_plugged:{name}" for kind, name in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def install(number: str, text: str) -> None:
        code({"semsim_plugged": text})
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: semsim-plugged\nVersion: {number}\n")
        plug_ins.cache_clear()

    changes = {
        "model": {"network": {"architecture": "Small", "classes": 10, "size": 16}},
        "attacks": ["grey"],
        "axes": {"defenses": ["none", "same:1"]},
        "federation": None,
    }
    try:
        install("0.1", PLUGGED)
        assert run("--minutes", "0", **changes).exit_code == 4
        told = json.loads((tmp_path / "report.json").read_text())["versions_and_hashes"]["plug-ins"]
        assert told == ", ".join(
            f"{kind} {name} of semsim-plugged 0.1 (semsim_plugged:{name})" for kind, name in entries.items()
        )
        install("0.2", PLUGGED)
        assert "got one of another plug-ins:" in str(run("--minutes", "0", **changes).exception)
        install("0.1", PLUGGED + "\n\nrate = 2\n")
        assert "got one of another code:" in str(run("--minutes", "0", **changes).exception)
    finally:
        info.rename(tmp_path / "removed")
        plug_ins.cache_clear()


def test_the_journal_of_another_torchvision_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks of torchvision compute as its version does."""
    run("--minutes", "0")
    monkeypatch.setattr(
        audit_experiment, "version", lambda name: "0.1" if name == "torchvision" else metadata.version(name)
    )
    assert "got one of another torchvision:" in str(run("--minutes", "0").exception)


def test_the_page_has_the_configuration_that_was_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is edited while the audit runs changes nothing in its page."""
    done = audit_experiment.AuditExperiment.run

    def edited(experiment: Any, *rest: Any) -> None:
        done(experiment, *rest)
        (tmp_path / "audit.yaml").unlink()

    monkeypatch.setattr(audit_experiment.AuditExperiment, "run", edited)
    assert run("--minutes", "0").exit_code == 4
    assert "learning_rate: 0.1" in (tmp_path / "report.html").read_text()


def test_an_audit_that_breaks_is_told_and_is_no_low_value(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose audit raises counts as one that could not be told, and the next run tries again."""
    computed = audit_experiment.client_update

    def broken(configuration: Any, victim: Any, held: Any, *rest: Any) -> Any:
        if len(held) == 2:
            raise RuntimeError("no memory\nleft <i>")
        return computed(configuration, victim, held, *rest)

    monkeypatch.setattr(audit_experiment, "client_update", broken)
    assert run().exit_code == 3
    page = (tmp_path / "report.html").read_text()
    assert "audit failed: RuntimeError: no memory left &lt;i&gt;" in page
    assert "<th>failed</th>" in page
    ways = {one["way"]: one for one in json.loads((tmp_path / "report.json").read_text())["ways"]}
    assert ways["2 images"]["verdict"] == "could_not_tell"
    assert ways["2 images"]["share_leaked"] is None
    monkeypatch.setattr(audit_experiment, "client_update", computed)
    run()
    assert "audit failed" not in (tmp_path / "report.html").read_text()


def test_clients_that_send_gradients_of_code_of_the_user(run: Run, tmp_path: Path) -> None:
    """A network from a file beside the configuration, with batch normalisation in training mode."""
    (tmp_path / "task.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.ReLU(), nn.Linear(16, 10))\n"
    )
    inputs = {"size": 16, "channels": 1, "classes": 10, "mean": 0.5, "std": 0.5, "white": 1}
    changes = {
        "model": {"module": "task.py:net", "inputs": inputs},
        "training": None,
        "axes": {"rounds": [1]},
        "federation": SMALL["federation"] | {"learning_rate": 0.1},
    }
    assert run(**changes).exit_code == 3
    page = (tmp_path / "report.html").read_text()
    assert "a gradient of the mean loss" in page
    assert "task.py:net" in page


def test_controls_may_come_from_elsewhere(run: Run, tmp_path: Path) -> None:
    """Controls of a source of their own are no images of the clients; copies of these among them do not count."""
    controls = SMALL["images"] | {"count": 300, "seed": 5}
    assert run(controls=controls, axes={}, federation=None).exit_code == 3
    assert json.loads((tmp_path / "report.json").read_text())["ways"][0]["audits"][0]["controls"] in range(290, 301)
    assert "controls" in str(run(controls={"published": "digits"}).exception)


def test_the_page_is_not_written_elsewhere(run: Run, tmp_path: Path) -> None:
    """A page that cannot be written is refused before the work begins."""
    (tmp_path / "audit.yaml").write_text("name: x")
    for out in ("report.pdf", "missing/report.html"):
        result = CliRunner().invoke(app, ["run", str(tmp_path / "audit.yaml"), "--out", str(tmp_path / out)])
        assert "expected --out" in str(result.exception)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {}}, "model: expected one of module, checkpoint and network"),
        ({"model": {"module": "task.py:net"}}, "model: expected inputs with a module"),
        ({"attacks": ["smoth"]}, "attacks: expected an attack"),
        ({"axes": {"defenses": ["gauss:1"]}}, "axes.defenses.0: expected a defense"),
        ({"axes": {"batches": [1, 1]}}, "axes.batches: expected at least one value, and each once, got"),
        ({"axes": {"rounds": []}}, "axes.rounds: expected at least one value"),
        ({"axes": {"rounds": [0, 9]}}, "expected rounds up to the 2 of federation, got 9"),
        ({"federation": None}, r"expected a federation with rounds \[0, 2\], got none"),
        ({"training": None, "axes": {"epochs": [2]}}, r"expected a training with epochs \[2\], got none"),
        ({"training": {"learning_rate": 0.1, "batch_size": 1, "epochs": 2}}, "epochs under axes"),
        ({"training": None}, "expected a learning_rate of federation where clients send gradients"),
        ({"training": {"learning_rate": 0.1, "batch_size": 1, "schedule": [1.0]}}, "without schedule and order"),
        ({"controls": 99}, "schema: controls.count: expected a number greater than or equal to 100, got 99"),
        (
            {"controls": {"published": "digits", "size": 16}},
            "schema: controls.source.count: expected a value",
        ),
        ({"second": 3}, "did you mean seconds"),
    ],
)
def test_a_configuration_says_what_it_expects(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Wrong fields are refused with their place."""
    (tmp_path / "audit.yaml").write_text(yaml.safe_dump(SMALL | changes))
    with pytest.raises(InvalidConfiguration, match=message):
        AuditConfiguration.read(tmp_path / "audit.yaml")


def test_images_that_do_not_fit_are_refused(run: Run) -> None:
    """Too few images, another size and unknown classes are refused before anything is audited."""
    images = SMALL["images"]
    assert "expected at least 212 images" in str(run(images=images | {"count": 211}).exception)
    assert "expected images of 16 x 16 pixels" in str(run(images=images | {"size": 32}).exception)
    few = {"network": {"architecture": "perceptron", "width": 16, "classes": 9, "size": 16}}
    assert "expected labels below the network's 9 classes" in str(run(model=few).exception)


def test_the_example_can_be_read(tmp_path: Path) -> None:
    """``semsim audit example`` prints a configuration."""
    result = CliRunner().invoke(app, ["example"])
    (tmp_path / "audit.yaml").write_text(result.output)
    assert AuditConfiguration.read(tmp_path / "audit.yaml").name == "digits"


def test_every_field_is_documented() -> None:
    """docs/federated.md holds the table as the models give it; `semsim audit example --schema --write` makes it."""
    page = (ROOT / "docs" / "federated.md").read_text()
    written = page.split("<!-- audit-schema -->")[1].strip()
    assert written == audit_schema(), "run semsim audit example --schema --write docs/federated.md"
    assert "|  |" not in written
