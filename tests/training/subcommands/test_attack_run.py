"""``semsim attack run``: what it refuses before any work, and what it says of its end."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import typer
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import normalise
from semsim_training.subcommands.attack_run import _code_of_the_user
from semsim_training.victims.modules import module_from
from semsim_training.victims.victim_checkpoint import VictimDescription, save_victim
from tests.conftest import ROOT
from tests.training.reconstructions.small_grid import SETTINGS, grid, write_images
from tests.training.small import described, smooth_images, victim
from tests.training.subcommands.command_line import Command

GREY = Inputs(size=(20, 16), channels=1, classes=4, mean=0.5, std=0.25, white=1)
MODULE = """
from torch import nn

def make_net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(320, 24), nn.ReLU(), nn.Linear(24, num_classes))
"""

FLOWER = """
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey round (module, weights, two gradients, originals) and a perceptron's (weights, gradients, a state)."""
    root = tmp_path_factory.mktemp("run")
    (root / "net.py").write_text(MODULE)
    torch.manual_seed(0)
    grey = nn.Sequential(nn.Flatten(), nn.Linear(320, 24), nn.ReLU(), nn.Linear(24, 4))
    torch.save({"state_dict": {f"module.{name}": value for name, value in grey.state_dict().items()}}, root / "grey.pt")
    images = smooth_images(1, 32)[:, :20, :16, :1]
    Image.fromarray(images[0, :, :, 0]).save(root / "original.png")
    F.cross_entropy(grey(normalise(images, GREY)), torch.tensor([2])).backward()
    save_file({name: value.grad for name, value in grey.named_parameters()}, root / "grey-gradient.safetensors")
    attacked = victim("perceptron", 32)
    save_victim(attacked.model, VictimDescription(network=described("perceptron", 32)), root / "model.safetensors")
    pixels = normalise(smooth_images(1), attacked.inputs)
    loss = F.cross_entropy(attacked.model(pixels), torch.tensor([4]))
    parameters = dict(attacked.model.named_parameters())
    names = list(parameters)
    gradient = dict(zip(names, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    save_file(gradient, root / "gradient.safetensors")
    save_file({name: torch.zeros_like(value) for name, value in gradient.items()}, root / "zero.safetensors")
    silent = {name: value if name != names[1] else torch.zeros_like(value) for name, value in gradient.items()}
    save_file(silent, root / "silent.safetensors")
    noise = torch.Generator().manual_seed(1)
    random = {name: torch.randn(value.shape, generator=noise) for name, value in gradient.items()}
    random[names[-1]] -= random[names[-1]].mean()
    save_file(random, root / "noise.safetensors")
    return root


GREY_ROUND = {
    "--module": "net.py:make_net", "--model": "grey.pt", "--update": "grey-gradient.safetensors", "--size": "20x16",
    "--channels": "1", "--classes": "4", "--mean": "0.5", "--std": "0.25", "--white": "1", "--attack": "closed-form",
}  # fmt: skip
ROUND = {"--model": "model.safetensors", "--update": "gradient.safetensors", "--attack": "closed-form"}


def _arguments(files: Path, options: dict[str, str], out: Path) -> list[object]:
    """The arguments of the command; files are those of the fixture."""
    placed = {
        name: str(files / value) if name in ("--model", "--update", "--module", "--original") else value
        for name, value in options.items()
    }
    return ["attack", "run", "--out", out, *(part for pair in placed.items() for part in pair)]


def test_a_grey_module_and_its_original(semsim: Command, files: Path, tmp_path: Path) -> None:
    """A network of a Python file is attacked; the picture is grey, scored and drawn beside its original."""
    done = semsim(*_arguments(files, GREY_ROUND | {"--original": "original.png"}, tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["labels"], result["path"]) == ("matched", [2], "closed form")
    assert set(result["versions"]) == {"semsim", "torch", "python"}
    picture = Image.open(tmp_path / "reconstruction-0.png")
    assert picture.mode == "L"
    difference = np.asarray(picture).astype(int) - np.asarray(Image.open(files / "original.png"))
    assert int(np.abs(difference).max()) <= 1
    (pair,) = result["originals"]
    assert pair["file"] == "reconstruction-0.png"
    assert pair["leakage"] > 0.5
    assert Image.open(tmp_path / "beside.png").size[1] > 2 * 128


def test_the_sentences_say_what_is_known(semsim: Command, files: Path, tmp_path: Path) -> None:
    """The text names attack, status, shares, path and what is private; it never says done."""
    done = semsim(*_arguments(files, GREY_ROUND | {"--original": "original.png"}, tmp_path / "found"))
    assert "closed-form, matched: the images explain the update" in done.stdout
    assert "images of no worth 0.0" in done.stdout
    assert "shows originals: keep it to yourself" in done.stdout
    assert "done" not in done.stdout


def test_an_original_that_shows_nothing_is_told(semsim: Command, files: Path, tmp_path: Path) -> None:
    """No leakage of a plain original is told, in a sentence that neither blames the calibration nor sounds safe."""
    Image.new("L", Image.open(files / "original.png").size, 90).save(tmp_path / "plain.png")
    done = semsim(*_arguments(files, GREY_ROUND | {"--original": str(tmp_path / "plain.png")}, tmp_path / "out"))
    assert "leakage could not be told: the original shows nothing" in done.stdout
    assert "recognizable" not in done.stdout


def test_noise_ends_as_nothing_found(semsim: Command, files: Path, tmp_path: Path) -> None:
    """An update that no image explains has an exit code of its own, and a sentence that does not sound like safety."""
    done = semsim(*_arguments(files, ROUND | {"--update": "noise.safetensors"}, tmp_path))
    assert done.returncode == 5, done.stderr
    assert "not shown to leak by this attack" in done.stdout
    assert "says nothing about the client's safety" in done.stdout
    assert json.loads((tmp_path / "result.json").read_text())["hint"]


def test_a_wrong_sign_is_named_and_its_copy_is_a_leak(semsim: Command, files: Path, tmp_path: Path) -> None:
    """Before minus after gives the image away, too: the result says so although the update is not explained."""
    gradient = load_file(files / "grey-gradient.safetensors")
    save_file({name: -value for name, value in gradient.items()}, tmp_path / "negated.safetensors")
    options = GREY_ROUND | {"--update": str(tmp_path / "negated.safetensors"), "--original": "original.png"}
    done = semsim(*_arguments(files, options, tmp_path / "out"))
    assert done.returncode == 4, done.stderr
    assert "leaks: 1 of 1 originals are recognizable" in done.stdout
    assert "not shown to leak" not in done.stdout
    assert "hint: The update points the other way" in done.stdout
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["explained"]["gain"] < 0.1
    assert result["status"] == "nothing_found"


def test_signs_in_eight_bits_are_an_update(semsim: Command, files: Path, tmp_path: Path) -> None:
    """Integers come out with an image, as any other update does."""
    gradient = load_file(files / "grey-gradient.safetensors")
    save_file({name: value.sign().to(torch.int8) for name, value in gradient.items()}, tmp_path / "int8.safetensors")
    options = GREY_ROUND | {"--update": str(tmp_path / "int8.safetensors"), "--attack": "smooth", "--iterations": "3"}
    done = semsim(*_arguments(files, options, tmp_path / "out"))
    assert done.returncode in (4, 5), done.stderr
    assert ": gain " in done.stdout


def test_a_module_that_prints_or_ends_the_program(semsim: Command, files: Path, tmp_path: Path) -> None:
    """The prints of the user's code are no part of the JSON; its sys.exit is a refusal with a reason."""
    (tmp_path / "loud.py").write_text("print('loading')\n" + MODULE)
    options = GREY_ROUND | {"--module": str(tmp_path / "loud.py") + ":make_net"}
    done = semsim(*_arguments(files, options, tmp_path / "out"), "--json")
    assert json.loads(done.stdout)["status"] == "matched"
    (tmp_path / "script.py").write_text(MODULE + "\nraise SystemExit(0)\n")
    options = GREY_ROUND | {"--module": str(tmp_path / "script.py") + ":make_net"}
    ended = semsim(*_arguments(files, options, tmp_path / "none"))
    assert ended.returncode == 2
    assert "SystemExit: 0" in ended.stderr
    assert not (tmp_path / "none").exists()


def test_an_interruption_is_a_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted attack ends with 130, as interrupted commands do."""
    with pytest.raises(typer.Exit) as ended, _code_of_the_user():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted: nothing was written\n"


def test_a_text_or_a_folder_is_no_update(semsim: Command, files: Path, tmp_path: Path) -> None:
    """Both are refused in one line that names what came."""
    (tmp_path / "update.pt").write_text("hello\n")
    for update, told in ((tmp_path / "update.pt", "got something else"), (tmp_path, "got a directory")):
        done = semsim(*_arguments(files, ROUND | {"--update": str(update)}, tmp_path / "out"))
        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_replace_keeps_what_is_not_its_own(semsim: Command, files: Path, tmp_path: Path) -> None:
    """Pictures of other names stay."""
    (tmp_path / "reconstruction-mine.png").write_bytes(b"mine")
    for options in ((), ("--replace",)):
        assert semsim(*_arguments(files, ROUND, tmp_path), *options).returncode == 0
    assert (tmp_path / "reconstruction-mine.png").read_bytes() == b"mine"


def test_an_attack_without_images_writes_no_picture(semsim: Command, files: Path, tmp_path: Path) -> None:
    """Earlier pictures are refused or replaced, and an attack that diverged leaves none."""
    done = semsim(*_arguments(files, ROUND, tmp_path))
    assert done.returncode == 0, done.stderr
    again = semsim(*_arguments(files, ROUND, tmp_path))
    assert again.returncode == 2
    assert "expected a folder without an earlier attack, got reconstruction-0.png in" in again.stderr
    replaced = semsim(*_arguments(files, ROUND | {"--update": "silent.safetensors"}, tmp_path), "--replace")
    assert replaced.returncode == 6, replaced.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["explained"], result["reconstructions"]) == ("diverged", None, [])


def test_time_is_a_budget(semsim: Command, files: Path, tmp_path: Path) -> None:
    """A search of very many iterations ends after its seconds, with a picture."""
    options = ROUND | {"--attack": "inversed", "--iterations": "10000000", "--seconds": "0.5"}
    done = semsim(*_arguments(files, options, tmp_path))
    assert done.returncode in (0, 4, 5), done.stderr
    assert json.loads((tmp_path / "result.json").read_text())["seconds"] < 30
    assert (tmp_path / "reconstruction-0.png").exists()


@pytest.mark.slow
def test_a_client_of_flower_s_tutorial_in_one_command(
    semsim: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the page takes lists of weights before and after Adam; told as SGD, it says what is wrong."""
    monkeypatch.chdir(tmp_path)
    Path("task.py").write_text(FLOWER)
    net = module_from("task.py:Net")
    np.savez("before.npz", *(value.numpy() for value in net.state_dict().values()))
    pixels = normalise(smooth_images(4), Inputs(size=32, classes=10, mean=0.5, std=0.5, white=1))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.001)
    for start in (0, 2, 0, 2):
        optimiser.zero_grad()
        F.cross_entropy(net(pixels[start : start + 2]), torch.arange(start, start + 2)).backward()
        optimiser.step()
    np.savez("after.npz", *(value.numpy() for value in net.state_dict().values()))
    page = (ROOT / "docs" / "attacks.md").read_text().replace("\\\n", " ")
    (command,) = [line for line in page.splitlines() if "--module task.py:Net" in line]
    arguments = [*shlex.split(command)[1:], "--iterations", "40"]
    declared = semsim(*arguments)
    assert declared.returncode == 4, declared.stderr
    assert json.loads(Path("found/result.json").read_text())["explained"]["share"] > 0.5
    told_wrong = semsim(*(part if part != "adam" else "sgd" for part in arguments), "--replace")
    assert told_wrong.returncode == 5, told_wrong.stderr
    assert "as those of Adam, and SGD is declared: check the optimiser" in told_wrong.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GREY_ROUND | {"--std": "0"}, "inputs: expected a std above 0"),
        (GREY_ROUND | {"--std": "nan"}, "inputs: expected finite numbers in std"),
        (GREY_ROUND | {"--white": "255"}, "which look like fractions of white: multiply both by 255, or say white=1"),
        (GREY_ROUND | {"--mean": "127"}, "expected a mean of 0 to 1 where white is 1"),
        (GREY_ROUND | {"--mean": "0.5,0.5"}, "expected one mean or one for each of 1 channels, got 2"),
        (GREY_ROUND | {"--size": "20y16"}, "expected --size as numbers, such as 32 or 28x36, got 20y16"),
        (GREY_ROUND | {"--size": "8"}, "size: expected a height and a width of 16 to 1024 pixels"),
        (GREY_ROUND | {"--channels": "2"}, "expected --channels 1 or 3"),
        (GREY_ROUND | {"--description": "x.json"}, "expected --module or --description, got both"),
        ({k: v for k, v in GREY_ROUND.items() if k != "--std"}, "expected --std with --module, got none"),
        (ROUND | {"--std": "60"}, "expected --module with --std, got none"),
        (ROUND | {"--momentum": "0.9"}, "expected --learning-rate with --momentum, got none"),
        (ROUND | {"--kind": "delta", "--learning-rate": "-1"}, "expected a positive learning rate"),
        (
            ROUND | {"--optimiser": "lion", "--learning-rate": "1"},
            "expected --optimiser sgd or adam or adamw",
        ),
        (ROUND | {"--betas": "0.9", "--learning-rate": "1"}, "expected --betas as two numbers"),
        (ROUND | {"--order": "0;a", "--learning-rate": "1"}, "expected --order as numbers, such as 0,1,2;2,0,1, got a"),
        (ROUND | {"--original": "nowhere.png"}, "expected an original at"),
        (
            ROUND | {"--original": "original.png", "--images": "2"},
            "expected --original once for each of 2 images",
        ),
        (ROUND | {"--update": "zero.safetensors"}, "got zeros"),
        (ROUND | {"--update": "model.safetensors"}, "expected a gradient"),
        (ROUND | {"--seconds": "-1"}, "--seconds"),
        (ROUND | {"--seconds": "0"}, "attack: seconds: expected a number greater than 0, got 0.0"),
    ],
)
def test_refusals_come_before_any_work(
    semsim: Command, files: Path, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    """One line, exit code 2, nothing written."""
    done = semsim(*_arguments(files, options, tmp_path / "out"))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", ['"std": [0, 1, 1]', '"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]'])
def test_descriptions_with_impossible_statistics_are_refused(
    semsim: Command, files: Path, tmp_path: Path, broken: str
) -> None:
    """A description's mean and std are levels, and are checked as those of options are."""
    path = tmp_path / "network.json"
    network = f'{{"architecture": "perceptron", "width": 32, "classes": 10, "size": 32, {broken}}}'
    path.write_text(f'{{"network": {network}}}')
    done = semsim(*_arguments(files, ROUND, tmp_path / "out"), "--description", path)
    assert done.returncode == 2
    assert "does not fit the schema: network: inputs: expected" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_grid_whose_attacks_all_diverged_does_not_pass(semsim: Command, tmp_path: Path) -> None:
    """A closed form finds no images in an update that was pruned away; the last line and the code say so."""
    closed = {**SETTINGS[1], "defense": "prune:0.9999"}
    made = grid(write_images(tmp_path / "photos"), settings=[closed])
    (tmp_path / "grid.yaml").write_text(made.model_dump_json(exclude_defaults=True))
    done = semsim("attack", "grid", tmp_path / "grid.yaml", tmp_path / "set", "--engine", "here")
    assert done.returncode == 6, done.stderr
    assert done.stdout.splitlines()[-1] == "could not tell: every attack diverged"


@pytest.mark.slow
def test_a_grid_counts_what_its_attacks_say(semsim: Command, tmp_path: Path) -> None:
    """A set counts its statuses; the last line and the code say where nothing was found and what that does not mean."""
    made = grid(write_images(tmp_path / "photos"), settings=[*SETTINGS[1:2], {**SETTINGS[1], "defense": "gaussian:10"}])
    (tmp_path / "grid.yaml").write_text(made.model_dump_json(exclude_defaults=True))
    told = "1 of 2 settings: nothing found: small--mlp--closed-form--gaussian:10"
    for _ in ("made", "found there"):
        done = semsim("attack", "grid", tmp_path / "grid.yaml", tmp_path / "set", "--engine", "here")
        assert done.returncode == 4, done.stderr
        assert "12 reconstructions in 2 settings: 6 matched, 6 nothing_found" in done.stdout
        last = done.stdout.splitlines()[-1]
        assert last == f"could not tell in {told} (6 of 6); this says nothing about a client's safety"


def test_a_grid_whose_attacks_found_nothing_does_not_pass(semsim: Command, tmp_path: Path) -> None:
    """Noise that drowns the update leaves a set of pictures, a last line and a code that say that nobody could tell."""
    closed = {**SETTINGS[1], "defense": "gaussian:10"}
    made = grid(write_images(tmp_path / "photos"), settings=[closed])
    (tmp_path / "grid.yaml").write_text(made.model_dump_json(exclude_defaults=True))
    done = semsim("attack", "grid", tmp_path / "grid.yaml", tmp_path / "set", "--engine", "here")
    assert done.returncode == 5, done.stderr
    assert done.stdout.splitlines()[-1] == "could not tell: no attack found anything"
