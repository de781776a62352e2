"""The command line of attacks, end to end, on files as an operator has them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from semsim.pixel_metrics import mse, psnr
from semsim_training.client_images.normalisation import normalise
from semsim_training.victims.victim_checkpoint import VictimDescription, save_victim
from tests.training.small import described, smooth_images, victim
from tests.training.subcommands.command_line import Command


@pytest.fixture(scope="module")
def round_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LeNet, the gradient of one image and the state dict after a step on it; a perceptron, its gradient."""
    root = tmp_path_factory.mktemp("round")
    for name in ("lenet", "perceptron"):
        network = described(name, 32 if name == "perceptron" else None)
        attacked = victim(name, network.width)
        save_victim(attacked.model, VictimDescription(network=network), root / f"{name}.safetensors")
        pixels, label = normalise(smooth_images(1), attacked.inputs), torch.tensor([4])
        loss = F.cross_entropy(attacked.model(pixels), label)
        parameters = dict(attacked.model.named_parameters())
        gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
        gradients = {key: value.contiguous() for key, value in gradients.items()}
        save_file(gradients, root / f"{name}-gradient.safetensors")
        after = {key: value.detach() - 0.1 * gradients[key] for key, value in parameters.items()}
        torch.save(after, root / f"{name}-after.pt")
    return root


def test_a_gradient_from_a_file(round_files: Path, tmp_path: Path) -> None:
    """In a process of its own, the closed form rebuilds the image and its label; the result says so."""
    arguments: list[str | Path] = [
        sys.executable, "-c", "from semsim.commands.main import main; main()",
        "attack", "run", "--model", round_files / "perceptron.safetensors",
        "--update", round_files / "perceptron-gradient.safetensors",
        "--attack", "closed-form", "--out", tmp_path, "--json",
    ]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "matched"
    assert result["explained"]["share"] > 0.99 > 0.5 > result["explained"]["random"]
    assert result["reconstructions"] == [{"file": "reconstruction-0.png", "label": 4}]
    image = np.asarray(Image.open(tmp_path / "reconstruction-0.png"))
    assert float(psnr(mse(smooth_images(1), image[None]))[0]) > 45


def test_a_state_dict_before_and_after(semsim: Command, round_files: Path, tmp_path: Path) -> None:
    """Weights after one local step are attacked as the gradient is; the exit code says that a part is explained."""
    done = semsim(
        "attack", "run", "--model", round_files / "lenet.safetensors", "--update", round_files / "lenet-after.pt",
        "--kind", "after", "--learning-rate", 0.1, "--attack", "smooth", "--iterations", 120, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "partly" in done.stdout
    assert json.loads((tmp_path / "result.json").read_text())["reconstructions"][0]["label"] == 4
    image = np.asarray(Image.open(tmp_path / "reconstruction-0.png"))
    assert float(psnr(mse(smooth_images(1), image[None]))[0]) > 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--update": "perceptron-gradient.safetensors"}, "expected an update of the model's 8 parameters, got 4"),
        ({"--attack": "magic"}, "[invalid_configuration]: expected an attack of dlg"),
        ({"--attack": "closed-form"}, "expected a victim whose first layer is fully connected"),
        ({"--kind": "before"}, "expected --kind gradient or delta or after, got before"),
        ({"--batchnorm": "off"}, "expected --batchnorm eval or train, got off"),
        ({"--kind": "after"}, "expected the learning rate of local training for an update of kind after"),
        ({"--labels": "11"}, "expected labels 0..9, got 11"),
        ({"--labels": "cat"}, "expected --labels as numbers"),
        ({"--update": "nowhere.pt"}, "expected a file of tensors at"),
        ({"--model": "lenet-gradient.safetensors"}, "expected a description of the network at"),
        ({"--device": "tpu"}, "expected --device cpu or cuda, got tpu"),
    ],
)
def test_errors_name_what_came(
    semsim: Command, round_files: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    """One line, exit code 2, nothing written."""
    options = {"--model": "lenet.safetensors", "--update": "lenet-gradient.safetensors", "--attack": "inversed"}
    chosen = options | changes
    for name in ("--model", "--update"):
        chosen[name] = str(round_files / chosen[name])
    done = semsim("attack", "run", "--out", tmp_path / "out", *(part for pair in chosen.items() for part in pair))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_cheap_is_checked_before_torch(tmp_path: Path) -> None:
    """Kinds, labels, devices, engines and missing files are refused in a process that has not imported torch."""
    options = {"--model": "none.pt", "--update": "none.pt", "--kind": "delta", "--labels": "3", "--device": "cpu"}
    runs = [["run", *(part for pair in (options | {name: "what"}).items() for part in pair)] for name in options]
    runs += [["grid", "grid.yaml", "--engine", "what"], ["grid", "grid.yaml", "--device", "cuda"]]
    commands = [["semsim", "attack", *arguments, str(tmp_path / "out")] for arguments in runs]
    for command in commands[: len(options)]:
        command[-1:] = ["--out", str(tmp_path / "out")]
    program = (
        "import json, sys\nfrom semsim.commands.main import main\n"
        "for sys.argv in json.loads(sys.argv[1]):\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 2\n"
        "    assert 'torch' not in sys.modules, sys.argv\n"
    )
    arguments = [sys.executable, "-c", program, json.dumps(commands)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stderr.count("expected") == len(commands)


def test_the_list_names_every_attack_with_its_source(semsim: Command) -> None:
    """`semsim attack list` covers presets and closed forms."""
    done = semsim("attack", "list")
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} >= {"dlg", "idlg", "inversed", "imprint", "modern"}
