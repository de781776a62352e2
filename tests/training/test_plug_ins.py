"""Attacks, defenses and victims of packages that are installed beside the project."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from semsim.bulk.engine import Engine
from semsim.exceptions import InvalidConfiguration, InvalidUpdate
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import AttackChoice
from semsim_training.attacks.dispatch import run_attack
from semsim_training.attacks.reconstruction import Status
from semsim_training.attacks.search import Search
from semsim_training.client_images.source import ImageSource
from semsim_training.defenses.defense import Defense
from semsim_training.defenses.rules import defend
from semsim_training.observations.observation import Victim
from semsim_training.plug_ins import PlugInKind, plug_ins
from semsim_training.reconstructions.generate import generate
from semsim_training.victims.building import build_network
from semsim_training.victims.description import Network
from semsim_training.victims.schedule import Schedule, VictimTraining
from semsim_training.victims.victim_checkpoint import load_victim
from semsim_training.victims.victim_training import train_victim
from tests.training.reconstructions.small_grid import grid, write_images
from tests.training.small import observations, victim

MODULE = """
from dataclasses import replace

import numpy as np
import torch
from semsim_training.attacks.attack_plug_ins import reconstruction_of
from semsim_training.attacks.closed_form import closed_form
from semsim_training.attacks.presets import preset
from semsim_training.defenses.defense_plug_ins import NO_VALUE, DefenseRule, DefenseValue

recipe = replace(preset("smooth"), iterations=20)

def grey(observation):
    return np.full((observation.images, *observation.victim.inputs.size, 3), 128, dtype=np.uint8)

def exact(observation):
    return reconstruction_of(observation, closed_form(observation).images)

def small(observation):
    return np.zeros((1, 2, 2, 3), dtype=np.uint8)

def halve(tensors, value, rng):
    return {name: tensor.mul_(value) for name, tensor in tensors.items()}

def drop(tensors, value, rng):
    return dict(list(tensors.items())[1:])

def unshaped(tensors, value, rng):
    return {name: tensor.flatten() for name, tensor in tensors.items()}

def unending(tensors, value, rng):
    return {name: tensor / 0 for name, tensor in tensors.items()}

def fail(*arguments, **options):
    raise ZeroDivisionError("as it likes")

positive = DefenseRule(halve, DefenseValue("a factor > 0", lambda value: value > 0))
zero = DefenseRule(lambda tensors, value, rng: {name: 0 * tensor for name, tensor in tensors.items()}, NO_VALUE)

class Small(torch.nn.Sequential):
    def __init__(self, inputs, width=4):
        channels, height, _ = inputs.shape
        pooled = torch.nn.AvgPool2d(height // 2), torch.nn.Flatten()
        hidden = torch.nn.Linear(4 * channels, width), torch.nn.Sigmoid()
        super().__init__(*pooled, *hidden, torch.nn.Linear(width, inputs.classes))

class Single(torch.nn.Sequential):
    def __init__(self, inputs):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(768, 1))
"""
NAMES = {
    "attacks": ("recipe", "grey", "exact", "small", "fail", "number"),
    "defenses": ("halve", "positive", "zero", "drop", "unshaped", "unending", "fail", "number"),
    "victims": ("Small", "Single", "fail", "number"),
}

Register = Callable[..., None]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Install a package of a module's text and entry points, as an installer leaves it on the path."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    # Ray's workers take the environment over, and not the path.
    monkeypatch.setenv("PYTHONPATH", str(site) + os.pathsep + os.environ.get("PYTHONPATH", ""))

    def install(package: str, module: str, **groups: tuple[str, ...]) -> None:
        metadata = site / f"{package}-0.1.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{package}.py").write_text(module)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
        lines = [
            line
            for group, names in groups.items()
            for line in (f"[semsim.{group}]", *(f"{name} = {package}:{name.replace('-', '_')}" for name in names))
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        plug_ins.cache_clear()

    yield install
    plug_ins.cache_clear()


@pytest.fixture
def mine(register: Register, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package of ``MODULE``, whose every name is a plug-in."""
    register("mine", MODULE + "\nnumber = 3\n", **NAMES)
    yield
    sys.modules.pop("mine", None)


def test_attacks_are_recipes_and_functions(mine: None) -> None:
    """A recipe runs by the plug-in's name, with changes; a function's images are judged by what they explain."""
    recipe = AttackChoice(preset="recipe", iterations=5, total_variation=0.1).resolve()
    assert isinstance(recipe, AttackRecipe)
    assert (recipe.name, recipe.iterations, recipe.priors[0].weight) == ("recipe", 5, 0.1)  # type: ignore[attr-defined]
    seen = observations(victim("perceptron", 16, size=16), 2)
    assert len(Search(recipe, seen, [0, 1]).run()) == 2
    exact, guessed = (run_attack(AttackChoice(preset=name).resolve(), seen[:1], [0])[0] for name in ("exact", "grey"))
    assert exact.status is Status.MATCHED
    assert exact.explanation is not None
    assert exact.explanation.share > 0.99
    assert guessed.status is Status.NOTHING_FOUND
    with pytest.raises(InvalidConfiguration, match="expected no options for grey, which searches nothing"):
        AttackChoice(preset="grey", iterations=3).resolve()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "small",
            r"images, uint8 \(1, 16, 16, 3\), from the attack small of mine 0.1 \(mine:small\), got uint8 \(1, 2",
        ),
        ("fail", r"the attack fail of mine 0.1 \(mine:fail\) to work, got ZeroDivisionError: as it likes"),
        ("number", r"an AttackRecipe or a function of an Observation from the attack number of mine 0.1 .* got int"),
        ("unknown", r"an attack of dlg, .*, imprint, .*grey of mine 0.1 \(mine:grey\).*, got unknown"),
    ],
)
def test_attacks_that_do_not_work(mine: None, name: str, message: str) -> None:
    """The error names the plug-in and its package, and an unknown name is told with all that there are."""
    (seen,) = observations(victim("perceptron", 16, size=16), 1)
    with pytest.raises(InvalidConfiguration, match=message):
        run_attack(AttackChoice(preset=name).resolve(), [seen], [0])


def test_an_attack_may_refuse(mine: None) -> None:
    """An error of the project that a plug-in raises comes out as it is."""
    (seen,) = observations(victim("lenet", size=16), 1)
    with pytest.raises(InvalidUpdate, match="expected a victim whose first layer is fully connected"):
        run_attack(AttackChoice(preset="exact").resolve(), [seen], [0])


def test_defenses_are_written_like_the_built_in_ones(mine: None) -> None:
    """A plug-in composes with others; its value is checked; the client's own tensors are left as they are."""
    update = {"a": torch.ones(2, 2), "b": torch.full((3,), 2.0, dtype=torch.float64)}
    halved = defend(update, Defense("halve:0.5+clip:1e9"), 0)
    assert halved["a"].tolist() == [[0.5, 0.5]] * 2
    assert halved["b"].dtype == torch.float64
    assert update["a"].tolist() == [[1, 1]] * 2
    assert not any(value.any() for value in defend(update, Defense("zero"), 0).values())
    for text in ("positive:0", "positive", "positive:nan", "halve", "zero:1"):
        with pytest.raises(InvalidConfiguration, match=f"for the defense {text.partition(':')[0]}, got {text}"):
            Defense(text)
    with pytest.raises(InvalidConfiguration, match=r"expected a defense of none, .*, dp, .*zero of mine 0.1 .*blur"):
        Defense("blur")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop:1", r"expected the tensors a, b from the defense drop of mine 0.1 \(mine:drop\), got b"),
        ("unshaped:1", r"expected a of shape \(2, 2\) from the defense unshaped of mine 0.1 .*, got \(4,\)"),
        ("unending:1", "expected finite values of a from the defense unending of mine 0.1"),
        ("fail:1", "expected the defense fail of mine 0.1 .* to work, got ZeroDivisionError"),
        ("number:1", "expected a function or a DefenseRule from the defense number of mine 0.1 .*, got int"),
    ],
)
def test_defenses_that_do_not_work(mine: None, text: str, message: str) -> None:
    """A result that is no update any more is refused with the name of the plug-in."""
    with pytest.raises(InvalidConfiguration, match=message):
        defend({"a": torch.ones(2, 2), "b": torch.ones(1)}, Defense(text), 0)


def test_victims_are_built_by_name(mine: None) -> None:
    """A plug-in gets the inputs and the width, where there is one, and seeds make it."""
    network = Network(architecture="Small", classes=3, size=16)
    one, two = build_network(network, 1), build_network(network, 1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not one.training
    assert build_network(Network(architecture="Small", width=9, classes=3, size=16), 1)[2].out_features == 9  # type: ignore[index]
    assert network.label == "Small"
    assert Network.model_validate_json(network.model_dump_json()) == network
    for name, width, message in (
        ("fail", None, "the victim fail of mine 0.1 .* to work, got ZeroDivisionError"),
        ("number", None, "a function or a class that makes a torch.nn.Module from the victim number .*, got int"),
        ("Single", None, r"expected logits \(1, 3\) for one image \(3, 16, 16\) from the victim Single .*\(1, 1\)"),
        ("Single", 3, "the victim Single of mine 0.1 .* to work, got TypeError: .*width"),
    ):
        with pytest.raises(InvalidConfiguration, match=message):
            build_network(Network(architecture=name, width=width, classes=3, size=16), 0)
    with pytest.raises(ValidationError, match=r"expected an architecture of lenet, .*Small of mine 0.1 .*, got vgg"):
        Network(architecture="vgg", classes=3, size=16)


@pytest.mark.slow
def test_a_victim_is_trained_and_read_again(mine: None, tmp_path: Path) -> None:
    """A plug-in victim is trained under a plug-in defense, and its checkpoint is a victim like any other."""
    images = ImageSource(folder=write_images(tmp_path / "images"), size=16)
    training = VictimTraining(
        network=Network(architecture="Small", classes=2, size=16), train=images, test=images,
        schedule=Schedule(epochs=1), defense=Defense("halve:0.5"),
    )  # fmt: skip
    train_victim(training, tmp_path / "small.safetensors")
    model, description = load_victim(tmp_path / "small.safetensors")
    (seen,) = observations(Victim(model, description.network.inputs, description.network.label), 1)
    assert seen.victim.name == "Small"
    assert description.training is not None
    assert description.training.defense == "halve:0.5"


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Engine.PROCESSES, Engine.RAY])
def test_plug_ins_work_in_other_processes(mine: None, tmp_path: Path, engine: Engine) -> None:
    """An attack, a defense and a victim of a package give the same bytes here, in a spawned process and on Ray."""
    if engine is Engine.RAY:
        pytest.importorskip("ray", reason="needs the extra ray")
    folder = write_images(tmp_path / "images")
    network = {"architecture": "Small", "classes": 2, "size": 16}
    setting = {"images": "small", "victim": "mine", "defense": "positive:0.5"}
    setting |= {"attack": [{"preset": "recipe"}, {"preset": "grey"}], "count": 2}
    small = grid(folder, victims={"mine": {"network": network}}, settings=[setting])
    shards = []
    for name, where in (("here", Engine.HERE), ("there", engine)):
        made = generate(small, folder, tmp_path / name, engine=where, workers=1)
        assert made.libraries["mine"] == "0.1"
        shards.append([path.read_bytes() for path in sorted((tmp_path / name / "shards").glob("*.parquet"))])
    assert len(shards[0]) == 2
    assert shards[0] == shards[1]


def test_one_name_is_one_thing(register: Register) -> None:
    """A plug-in with a built-in name or another plug-in's is refused where it is used, and only there."""
    register("first", "twice = 1", attacks=("dlg", "twice"), defenses=("clip", "dp"), victims=("lenet",))
    register("second", "twice = 1", attacks=("twice",))
    for use, kind, name, others in (
        (lambda: AttackChoice(preset="dlg").resolve(), "attack", "dlg", r"SemSim itself and first 0.1 \(first:dlg\)"),
        (lambda: AttackChoice(preset="twice").resolve(), "attack", "twice", "first 0.1 .* and second 0.1"),
        (lambda: Defense("sign+clip:1"), "defense", "clip", "SemSim itself and first 0.1"),
        (lambda: Defense("dp:1:1"), "defense", "dp", "SemSim itself and first 0.1"),
        (lambda: Network(architecture="lenet", classes=2, size=16), "victim", "lenet", "SemSim itself and first 0.1"),
    ):
        with pytest.raises(
            InvalidConfiguration, match=f"expected one {kind} with the name {name}, got those of {others}"
        ):
            use()
    assert AttackChoice(preset="idlg").resolve()
    assert Defense("sign")
    assert Network(architecture="perceptron", classes=2, size=16)


def test_a_broken_plug_in_hides_nothing(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    """A package that cannot be imported is listed, told where it is used, and leaves the rest alone."""
    register("broken", "raise SystemExit(0)", attacks=("broken-attack",), defenses=("blur",), victims=("net",))
    from semsim_training.subcommands.attack_command import list_attacks

    list_attacks()
    shown = capsys.readouterr().out
    assert "imprint" in shown
    assert "broken-attack" in shown
    assert "broken 0.1 (broken:broken_attack)" in shown
    for use in (
        lambda: AttackChoice(preset="broken-attack").resolve(),
        lambda: Defense("blur:1"),
        lambda: build_network(Network(architecture="net", classes=2, size=16), 0),
    ):
        with pytest.raises(InvalidConfiguration, match=r"of broken 0.1 .* to load, got SystemExit: 0"):
            use()
    assert AttackChoice(preset="idlg").resolve()
    assert Defense("gaussian:1")


def test_what_can_be_listed_is_not_loaded(register: Register) -> None:
    """No module of a package is imported until one of its plug-ins is used."""
    register("waiting", MODULE, **{group: names[:3] for group, names in NAMES.items()})
    assert set(plug_ins(PlugInKind.ATTACK)) >= {"recipe", "grey", "exact"}
    assert AttackChoice(preset="smooth").resolve()
    assert "waiting" not in sys.modules
